-- UNPARK: lets a parked run go on.
local uuid, actor, operation = unrow(ARGV[1])
enter(uuid)
local text = get('s')
local s = text and read_state(text)
if not s or s.status ~= STUCK then return pack(false) end
s.status, s.attempts, s.ready = s.undoing and UNDOING or RUNNING, 0, now
R.s = state_row(s)
call('HDEL', P .. 'k', U)
due[due_run('r')] = now
audit(actor, 'unpark', operation, s.ver, s.ver, s.undoing and 'undoing' or 'running')
flush()
return pack(true)
