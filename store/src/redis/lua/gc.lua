-- GC: removes the records of a run that is over.
local uuid = unrow(ARGV[1])
enter(uuid)
local entry = due_run('g')

-- What it leaves behind: its thread goes with it, or later, or loses what nobody needs.
local function let_go(thread)
  local TK = P .. 't:' .. thread
  local row = call('HMGET', TK, 'k', 'a', 'q', 'e', 'o')
  if not row[1] then return end
  local s, until_ = read_state(get('s')), now
  local beyond = row[1] == ''
  if beyond and s.ended then until_ = math.max(now, s.ended + THREAD_RETENTION_MS) end
  until_ = math.max(until_, tonumber(row[4] or until_))
  call('ZREM', held_key(thread), U)
  local free = is_free(thread, row[2], row[3])
  if free and until_ <= now then return remove_thread(thread, row[5]) end
  call('HSET', TK, 'e', until_)
  if free or beyond then due['x|' .. thread] = free and until_ or now end
end

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
  for _, what in ipairs({ 't:', 'x:', 'y:', 'i:' }) do unlink[#unlink + 1] = P .. what .. thread end
else
  call('ZREM', P .. 'l:' .. tenant(), U)
  let_go(fixed().thread)
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
