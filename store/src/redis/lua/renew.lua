-- RENEW: prolongs leases, and is how claimed work learns that it is no longer wanted.
local worker, lease_ms, leases = unrow(ARGV[1])

local function renew(uuid, gen, id, index, fence)
  enter(uuid)
  fetch({ 's', 'g' .. id, 't' .. id .. '/' .. index })
  if not seen.s then return 'lost' end
  local s, g = read_state(seen.s), read_group(id)
  if not (g and g.detached) and (terminal(s) or s.status == CANCELLING) then return 'cancel' end
  if not g or gen ~= s.gen then return 'lost' end
  if stopped(s, g) then return 'cancel' end
  local t = read_task(g, index)
  if not t then return 'lost' end
  if t.state ~= CLAIMED then return t.state == CANCELLED and 'cancel' or 'lost' end
  if t.fence ~= fence or t.worker ~= worker then return 'lost' end
  t.time = now + lease_ms
  write_task(g, index, t)
  due[due_task('l', g, index)] = t.time
  flush()
  return t.time
end

local answers = {}
for place, lease in ipairs(leases) do answers[place] = renew(unpack(lease)) end
return pack(answers)
