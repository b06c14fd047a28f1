-- Takes or prolongs the lease to sweep a partition.
local owner, ms = unrow(ARGV[1])
local key = P .. 's'
local holder = call('GET', key)
if holder and holder ~= owner then return pack(false) end
call('SET', key, owner, 'PX', ms)
return pack(true)
