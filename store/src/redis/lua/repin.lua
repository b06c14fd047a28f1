-- REPIN: a run that is not over goes on with another version of its graph.
local uuid, seen, graph, op, actor = unrow(ARGV[1])
enter(uuid)
local text = get('s')
if not text then return pack('unknown') end
local s = read_state(text)
if terminal(s) then return pack('terminal') end
-- What is fixed is JSON, in which these words stand unescaped as names only, each once.
local info = get('i')
local old = string.match(info, '"graph":"(%x+)"')
if old == graph then return pack('already') end
if s.ver ~= seen then return pack('conflict', s.ver) end
local row = call('HMGET', P .. 't:' .. fixed().thread, 'h', 'm')
local last = math.max(tonumber(row[1] or 0), tonumber(row[2] or 0))
local pin = string.format('{"graph":"%s","until":%d,"advances":%d}', old, last, s.superstep)
info = string.gsub(info, '"graph":"%x+"', '"graph":"' .. graph .. '"', 1)
local list = '"before":['
local first, last_of = string.find(info, list, 1, true)
if first then
  info = string.sub(info, 1, last_of) .. pin .. ',' .. string.sub(info, last_of + 1)
else
  info = string.sub(info, 1, -2) .. ',' .. list .. pin .. ']}'
end
local before = s.ver
s.ver, s.op = before + 1, op
event(s, REPINNED, '', false, 0, graph)
R.i, R.s = info, state_row(s)
audit(actor, 'migrate', old .. ' ' .. graph, before, s.ver, 'repinned')
flush()
return pack('repinned', s.ver)
