-- SIGNAL: keeps what a thread is told until a wait takes it.
local thread, name, id, value, actor, subject = unrow(ARGV[1])
local TK = P .. 't:' .. thread
local row = call('HMGET', TK, 'h', 'a', 'n', 'u', 'w')
if not row[1] then return pack('unknown') end
if call('HEXISTS', signals_key(thread), 'i' .. id) == 1 then return pack('already') end
local number, untaken, awaiting = tonumber(row[3] or 0) + 1, tonumber(row[4] or 0), row[5] or ''
if untaken >= SIGNALS_MAX then return pack('full') end
write_signal(thread, { number = number, id = id, name = name, at = now, value = value, taken = false })
local old = number > SIGNALS_MAX and read_signal(thread, number - SIGNALS_MAX)
if old and old.taken then delete_signal(thread, old) end
call('HSET', TK, 'n', number, 'u', untaken + 1)
local runs = {}
for at = 1, #awaiting, 32 do
  local uuid = string.sub(awaiting, at, at + 31)
  runs[#runs + 1] = uuid
  due['s|' .. uuid] = now
end
local uuid, ver = row[2] or '', 0
if uuid == '' then uuid = string.rep('0', 32) end
enter(uuid)
local text = get('s')
if text then
  local s = read_state(text)
  event(s, SIGNALLED, '', false, number, name)
  R.s = state_row(s)
  ver = s.ver
end
audit(actor, 'signal', subject .. '#' .. number, ver, ver, 'kept', uuid, string.match(thread, '^[^/]+'))
flush()
return pack('kept', number, runs)
