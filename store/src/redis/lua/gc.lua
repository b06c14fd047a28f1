-- GC: removes the records of a run that is over.
local uuid = unrow(ARGV[1])
enter(uuid)
local entry = due_run('g')
local text = get('s')
local s = text and read_state(text)
if s and terminal(s) and s.detached > 0 then
  due[entry] = now + HIDE_MS
  flush()
  return pack(false)
end
due[entry] = false
if not s or not terminal(s) then
  flush()
  return pack(false)
end
call('ZREM', P .. 'l:' .. tenant(), U)
for _, id in ipairs(s.groups) do
  for _, what in ipairs(WIDE) do unlink[#unlink + 1] = wide_key(what, { id = id }) end
end
delete_staged()
call('UNLINK', RK, BK)
flush()
return pack(true)
