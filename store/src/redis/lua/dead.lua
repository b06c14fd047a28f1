-- DEAD: an operator puts a job that nobody holds to work again, or ends it.
local uuid, gen, id, index, seq, drop, actor, subject = unrow(ARGV[1])
enter(uuid)
fetch({ 's', 'f', 'g' .. id, 't' .. id .. '/' .. index, 'G' .. id })
local s, g = seen.s and read_state(seen.s), seen.s and read_group(id)
local t = g and read_task(g, index)
if not t or gen ~= s.gen then return pack('unknown') end
local over = terminal(s) and not g.detached
local function decided() audit(actor, drop and 'drop' or 'redrive', subject, s.ver, s.ver, 'done') end

-- Of a run that is over a failed job counts as cancelled from now on.
if over then
  if not drop or t.state ~= FAILED or t.seq ~= seq then return pack('refused') end
  decided()
  t.state, t.time = CANCELLED, 0
  g.failed, g.cancelled = math.max(0, g.failed - 1), g.cancelled + 1
  write_task(g, index, t)
  write_group(g)
  flush()
  return pack('done', { s.gen, {}, false, {} })
end
local waits = t.state == PUBLISHABLE or t.state == DISPATCHED
if not waits or stopped(s, g) or t.seq ~= seq then return pack('refused') end
decided()
local tail = { s.gen, {}, false, {} }
if drop then
  tail = finish(s, g, index, t, FAILED, drop)
else
  t.infra = 0
  requeue(s, g, index, t, now)
  event(s, RECORDED, id, index, t.fence, 'redriven')
  R.s = state_row(s)
end
flush()
return pack('done', tail)
