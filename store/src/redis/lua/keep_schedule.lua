-- KEEP_SCHEDULE: one compare-and-set over a schedule's row and its due entry.
local uuid, saw, op, tenant, name, body, at, actor, operation = unrow(ARGV[1])
local key, member = P .. 'z', 'h|' .. uuid
local text = call('HGET', key, uuid)
local rev, wrote = false, nil
if text then rev, wrote = unrow(text) end
if wrote == op then return pack('already', rev) end
if rev ~= saw then return pack('conflict', rev) end
-- One that is made anew counts on from the clock: no stale view of an earlier one fits it.
local after = (rev or now) + 1
if body then
  call('HSET', key, uuid, pack(after, op, tenant, name, body))
else
  call('HDEL', key, uuid)
end
due[member] = at
if actor then audit(actor, operation, name, rev or 0, after, 'kept', uuid, tenant) end
flush()
return pack('kept', after)
