-- STAGE: brings tasks of a wide group in, under the operation of the advance that opens it.
local uuid, op, name, rows, bodies, terms, missing, needed = unrow(ARGV[1])
enter(uuid)
local text = get('s')
local s = text and read_state(text)
if not s or terminal(s) or s.op == op then return pack(false) end

-- Adds the indexes of a chunk to those who need each, once.
local function add_needed()
  local key, by, fresh = staged_key('sn:', name), {}, {}
  for at = 1, #missing, 2 do
    local index = missing[at]
    if call('HEXISTS', staged_key('st:', name), index) == 0 then fresh[index] = true end
  end
  for at = 1, #needed, 2 do
    if fresh[needed[at + 1]] then
      local need = needed[at]
      by[need] = (by[need] or call('HGET', key, need) or '') .. struct.pack('<I4', needed[at + 1])
    end
  end
  local list = {}
  for need, text in pairs(by) do
    list[#list + 1] = need
    list[#list + 1] = text
  end
  if #list > 0 then send('HSET', key, list) end
end

if #rows > 0 then
  call('SADD', P .. 'sg:' .. U, name)
  if #missing > 0 then
    add_needed()
    send('HSET', staged_key('su:', name), missing)
  end
  if #terms > 0 then send('HSET', staged_key('sh:', name), terms) end
  send('HSET', staged_key('st:', name), rows)
  send('HSET', staged_key('si:', name), bodies)
end
return pack(true)
