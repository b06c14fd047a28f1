-- MARK: notes which publications the broker confirmed.
local uuid, tasks = unrow(ARGV[1])
enter(uuid)
local fields = {}
for _, each in ipairs(tasks) do
  fields[#fields + 1] = 'g' .. each[1]
  fields[#fields + 1] = 't' .. each[1] .. '/' .. each[2]
end
fetch(fields)
local changed = false
for _, each in ipairs(tasks) do
  local id, index, seq = unpack(each)
  local g = read_group(id)
  local t = g and read_task(g, index)
  if t and t.state == PUBLISHABLE and t.seq == seq then
    t.state, t.time = DISPATCHED, now
    g.publishable = math.max(0, g.publishable - 1)
    write_task(g, index, t)
    write_group(g)
    due[due_task('p', g, index)] = false
    if g.publishable == 0 then due[due_group('p', g)] = false end
    local check = due_group('k', g)
    if not due[check] and not call('ZSCORE', P .. 'd', check) then due[check] = now + CHECK_AFTER_MS end
    changed = true
  end
end
if changed then flush() end
return pack(changed)
