-- HEARD: closes a look at a run's signals, unless there is more to look at.
local uuid, signals, waits = unrow(ARGV[1])
enter(uuid)
local entry = due_run('s')
if not call('ZSCORE', P .. 'd', entry) then return pack(false) end
local text = get('s')
local s = text and read_state(text)
if s and s.awaiting > 0 then
  if s.waits ~= waits then return pack(false) end
  if tonumber(call('HGET', P .. 't:' .. fixed().root, 'n') or 0) ~= signals then return pack(false) end
end
due[entry] = false
flush()
return pack(true)
