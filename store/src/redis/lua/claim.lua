-- CLAIM: hands a job to a worker, with a fence that never falls.
--
-- There are two scripts of it: what a lapsed lease leads to takes most of the shared parts, and
-- `more` says whether they are there.
local uuid, gen, id, index, digest, worker, worker_name, request, lease_ms, ids, first, poison, more =
  unrow(ARGV[1])
enter(uuid)
fetch({ 's', 'g' .. id, 't' .. id .. '/' .. index, 'G' .. id })
if not seen.s then return pack('unknown') end
local s, g = read_state(seen.s), read_group(id)
if not (g and g.detached) and not live(s) and s.status ~= STUCK then return pack('run_terminal') end
if g and stopped(s, g) then return pack('run_terminal') end
local t = g and read_task(g, index)
if not t then return pack('unknown') end
if gen ~= s.gen or digest ~= t.digest then return pack('stale') end

local function granted(body)
  local goes_on = t.phase > 0 and continued(g, index)
  return pack('granted', t.fence, t.app + t.infra + 1, t.time, get('G' .. id), body, goes_on)
end

if t.state >= DONE then return pack('done') end
if t.state == HELD or t.state == PARKED then return pack('busy') end
if t.state == PUBLISHABLE and t.time > now then return pack('busy') end
if t.state == UNKNOWN then return pack('outcome_unknown') end
if t.state == CLAIMED then
  if t.time > now then
    if t.request ~= request then return pack('busy') end
    local body = input(g, index)
    if not body then return pack('unknown') end
    return granted(body)
  end
  if not more then return pack('more') end
  if g.effect == ONCE then
    local question = id_of_phase(ids, first, t.phase)
    if not question then return pack('phase', t.phase) end
    lose_outcome(s, g, index, t, question)
    flush()
    return pack('outcome_unknown')
  end
  t.infra = t.infra + 1
  if t.infra >= INFRA_ATTEMPTS_MAX then
    local tail = finish(s, g, index, t, FAILED, poison)
    flush()
    return pack('poison', tail)
  end
  t.trouble = WORKER_LOST
end
local body = input(g, index)
if not body then return pack('unknown') end
if t.state == PUBLISHABLE then
  g.publishable = math.max(0, g.publishable - 1)
  due[due_task('p', g, index)] = false
  if g.publishable == 0 then due[due_group('p', g)] = false end
elseif t.state == CLAIMED then
  g.work = math.max(0, g.work - 1)
end
t.fence, t.state, t.time = t.fence + 1, CLAIMED, now + lease_ms
t.worker, t.request = worker, request
write_task(g, index, t)
g.work = g.work + 1
write_group(g)
due[due_task('l', g, index)] = t.time
event(s, CLAIMS, id, index, t.fence, worker_name)
R.s = state_row(s)
flush()
return granted(body)
