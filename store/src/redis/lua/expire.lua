-- EXPIRE: the end of a lease that nobody renewed.
local uuid, id, index, ids, first, poison = unrow(ARGV[1])
enter(uuid)
fetch({ 's', 'g' .. id, 't' .. id .. '/' .. index, 'G' .. id })
local g = seen.s and read_group(id)
local t = g and read_task(g, index)
local entry = due_task('l', { id = id }, index)
if not t or t.state ~= CLAIMED then
  due[entry] = false
  flush()
  return pack('kept')
end
if t.time > now then
  due[entry] = t.time
  flush()
  return pack('kept')
end

local s = read_state(seen.s)
local function ended(ending, body)
  local tail = finish(s, g, index, t, ending, body)
  flush()
  return pack('ended', tail)
end

if stopped(s, g) then return ended(CANCELLED, false) end
if g.effect == ONCE then
  local question = id_of_phase(ids, first, t.phase)
  if not question then return pack('phase', t.phase) end
  lose_outcome(s, g, index, t, question)
  flush()
  return pack('outcome_unknown', question)
end
t.infra = t.infra + 1
if t.infra >= INFRA_ATTEMPTS_MAX then return ended(FAILED, poison) end
t.trouble = WORKER_LOST
local at = now + INFRA_BACKOFF_MS * 2 ^ math.min(t.infra - 1, 10)
requeue(s, g, index, t, at)
event(s, LEASE_OVER, id, index, t.fence, 'again')
R.s = state_row(s)
flush()
return pack('again', at)
