-- DELIVER: ends a wait with a signal.
local uuid, gen, id, index, number, outcome, job = unrow(ARGV[1])
enter(uuid)
fetch({ 's', 'f', 'g' .. id, 't' .. id .. '/' .. index, 'h' .. id .. '/' .. index })
local g = seen.s and read_group(id)
local t = g and read_task(g, index)
if not t then return pack('gone') end
local s = read_state(seen.s)
local waits = g.kind == WAIT and g.phase == OPEN and t.state == PARKED and gen == s.gen and not terminal(s)
  and not stopped(s, g)
local name = waits and read_terms(g, index).signal
local root = fixed().root
local signal = name and read_signal(root, number)
if not signal or signal.taken or signal.name ~= name then return pack('gone') end
signal.taken = job
local RT = P .. 't:' .. root
local row = call('HMGET', RT, 'n', 'u')
call('HSET', RT, 'u', math.max(0, tonumber(row[2] or 0) - 1))
if number + SIGNALS_MAX <= tonumber(row[1] or 0) then
  delete_signal(root, signal)
else
  write_signal(root, signal)
end
local tail = finish(s, g, index, t, DONE, outcome)
flush()
return pack('taken', tail)
