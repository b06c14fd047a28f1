-- EXTEND: moves a run's ready entry on while it is being computed.
local uuid, ms = unrow(ARGV[1])
enter(uuid)
local entry = due_run('r')
if not call('ZSCORE', P .. 'd', entry) then return pack(false) end
due[entry] = now + ms
flush()
return pack(true)
