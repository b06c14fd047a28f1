-- EDIT: a state of a thread that no run made.
local thread, seq, parent, hash, data, channels, actor, subject = unrow(ARGV[1])
local TK = P .. 't:' .. thread
local row = call('HMGET', TK, 'h', 'a')
if not row[1] then return pack('unknown') end
local head = tonumber(row[1])
local known = call('HGET', P .. 'x:' .. thread, 'c' .. head)
if known then
  -- Its words may be cut short; parent and hash stand at its ends either way.
  local of = string.match(known, '^\1%d+\2(%d+)') or string.match(known, '^{"seq":%d+,"parent":(%d+)')
  local its = string.match(known, '(%x+)"}$')
  if string.sub(known, -19, -19) == '\255' then
    its = string.gsub(string.sub(known, -18, -3), '.', function(byte) return string.format('%02x', string.byte(byte)) end)
  end
  if tonumber(of) == parent and its == hash then return pack('already') end
end
if parent ~= head or seq <= head then return pack('conflict', head) end
send('HSET', P .. 'x:' .. thread, data)
channels[#channels + 1] = 'h'
channels[#channels + 1] = seq
send('HSET', TK, channels)
local uuid, before, after = row[2] or '', 0, 0
if uuid == '' then uuid = string.rep('0', 32) end
enter(uuid)
local text = get('s')
if text then
  local s = read_state(text)
  before, after = s.ver, s.ver + 1
  s.ver, s.head = after, seq
  event(s, EDITED, '', false, seq, '')
  R.s = state_row(s)
end
audit(actor, 'edit', subject, before, after, 'edited', uuid, string.match(thread, '^[^/]+'))
flush()
return pack('edited', text and after)
