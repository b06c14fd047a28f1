-- SUBMIT: accepts a run, once per id.
local uuid, thread, digest, deadline, info, fixed_row, enqueue, actor = unrow(ARGV[1])
enter(uuid)
local known = call('HGET', RK, 'f')
if known then
  local same = unrow(known) == digest
  return pack(same and 'exists' or 'conflict')
end
local TK = P .. 't:' .. thread
local row = call('HMGET', TK, 'h', 'a', 'q')
local queued = row[2] and row[2] ~= ''
if queued and not enqueue then return pack('busy') end
if queued then
  call('HSET', TK, 'q', (row[3] or '') .. uuid)
else
  call('HSET', TK, 'h', row[1] or 0, 'a', uuid)
end
local name = queued and 'queued' or 'running'
local s = new_state(queued and QUEUED or RUNNING, tonumber(row[1] or 0))
event(s, SUBMITTED, '', false, 0, name)
R.f, R.i, R.s = fixed_row, info, state_row(s)
if not queued then due[due_run('r')] = now end
if deadline then due[due_run('t')] = deadline end
call('ZADD', P .. 'l:' .. tenant(), now, uuid)
audit(actor, 'submit', '', 0, 1, name)
flush()
return pack(queued and 'queued' or 'accepted')
