-- ANSWER: one decision per question.
local uuid, id, index, question, decision, outcome, ok, actor = unrow(ARGV[1])
enter(uuid)
fetch({ 's', 'f', 'g' .. id, 't' .. id .. '/' .. index, '?' .. id .. '/' .. index })
local q = seen.s and read_question(id .. '/' .. index)
if not q or q.id ~= question then return pack('unknown') end
local s = read_state(seen.s)
if q.state == 1 then
  if q.decision == decision then return pack('already') end
  return pack('conflict', q.decision)
end
if q.state == 2 then return pack('expired') end
if q.state == 3 then return pack('withdrawn') end
local g = read_group(id)
local refused = terminal(s) or g and stopped(s, g)
if refused and not (g and g.detached) then return pack('terminal') end
if q.expires and q.expires <= now then return pack('expired') end
local t = g and read_task(g, index)
if not t or t.state >= DONE then return pack('withdrawn') end
q.state, q.decision, q.actor, q.at = 1, decision, actor, now
settle_question(s, q, g, index, 'answered')
audit(actor, 'answer', q.id, s.ver, s.ver, 'ok')
local tail
if g.kind == JOB and t.state == PARKED then
  put_continued(g, index, outcome)
  tail = go_on(s, g, index, t)
else
  tail = finish(s, g, index, t, ok and DONE or FAILED, outcome)
end
flush()
return pack('ok', tail)
