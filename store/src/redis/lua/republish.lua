-- REPUBLISH: takes a publication back whose message was lost.
local uuid, id, index, seq = unrow(ARGV[1])
enter(uuid)
local g = read_group(id)
local t = g and read_task(g, index)
if not t or t.state ~= DISPATCHED or t.seq ~= seq then return pack(false) end
t.state, t.time, t.seq = PUBLISHABLE, now, t.seq + 1
g.publishable = g.publishable + 1
write_task(g, index, t)
write_group(g)
due[due_task('p', g, index)] = now
flush()
return pack(true)
