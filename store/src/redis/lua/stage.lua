-- STAGE: brings tasks of a wide group in, under the operation of the advance that opens it.
local uuid, op, name, rows, bodies = unrow(ARGV[1])
enter(uuid)
local text = get('s')
local s = text and read_state(text)
if not s or terminal(s) or s.op == op then return pack(false) end
if #rows > 0 then
  call('SADD', P .. 'sg:' .. U, name)
  send('HSET', staged_key('st:', name), rows)
  send('HSET', staged_key('si:', name), bodies)
end
return pack(true)
