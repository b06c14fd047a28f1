-- A thread's head: earlier states may be its head again. `back` is a seq and the fields of its
-- channels.
local function go_back(TK, back)
  local row = call('HMGET', TK, 'h', 'm')
  local used = math.max(tonumber(row[1] or 0), tonumber(row[2] or 0))
  if used > 0 then call('HSET', TK, 'm', used) end
  local gone = {}
  for _, field in ipairs(call('HKEYS', TK)) do
    if string.sub(field, 1, 1) == 'c' then gone[#gone + 1] = field end
  end
  if #gone > 0 then send('HDEL', TK, gone) end
  local seq, channels = unpack(back)
  if #channels > 0 then send('HSET', TK, channels) end
  call('HSET', TK, 'h', seq)
  return seq
end
