-- PARK: takes a run out of the due index until an operator looks.
local uuid, reason = unrow(ARGV[1])
enter(uuid)
local text = get('s')
local s = text and read_state(text)
if not s or not live(s) then return pack(false) end
s.status = STUCK
event(s, PARKS, '', false, 0, reason)
R.s = state_row(s)
call('HSET', P .. 'k', U, pack(now, reason))
due[due_run('r')] = false
flush()
return pack(true)
