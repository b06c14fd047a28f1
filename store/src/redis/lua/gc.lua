-- GC: removes the records of a run that is over.
local uuid = unrow(ARGV[1])
enter(uuid)
local entry = due_run('g')
local text = get('s')
local s = text and read_state(text)
if s and terminal(s) and (s.detached > 0 or s.children > 0 or s.leaving > 0) then
  due[entry] = now + HIDE_MS
  flush()
  return pack(false)
end
due[entry] = false
if not s or not terminal(s) then
  flush()
  return pack(false)
end
if fixed().parent then
  local thread = fixed().thread
  for _, what in ipairs({ 't:', 'x:', 'y:' }) do unlink[#unlink + 1] = P .. what .. thread end
else
  call('ZREM', P .. 'l:' .. tenant(), U)
end
for _, id in ipairs(s.groups) do
  for _, what in ipairs(WIDE) do unlink[#unlink + 1] = wide_key(what, { id = id }) end
end
delete_staged()
local counted = get('o')
if counted then call('HINCRBY', P .. 'o', counted, -1) end
unlink[#unlink + 1] = RK
unlink[#unlink + 1] = BK
flush()
return pack(true)
