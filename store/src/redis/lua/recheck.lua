-- RECHECK: closes a look at a group and says when the next one is.
local uuid, id, ms = unrow(ARGV[1])
enter(uuid)
local g = read_group(id)
local open = g ~= nil and g.phase == OPEN
due[due_group('k', { id = id })] = open and now + ms
flush()
return pack(open)
