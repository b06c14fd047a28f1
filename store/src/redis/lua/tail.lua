-- How a task ends: what would wake it goes, its group counts it.

-- Removes whatever would wake a task in its present state.
local function clear_wakes(s, g, index, t)
  if t.state == PUBLISHABLE then
    g.publishable = math.max(0, g.publishable - 1)
    due[due_task('p', g, index)] = false
  elseif t.state == CLAIMED then
    g.claimed = g.claimed - 1
    due[due_task('l', g, index)] = false
  elseif t.state == PARKED or t.state == UNKNOWN then
    local q = read_question(g.id .. '/' .. index)
    if not q then return end
    due[due_task('t', g, index)] = false
    if q.state == 0 then
      q.state = 3
      write_question(q)
      call('ZREM', P .. 'n:' .. tenant(), inbox_member(q))
      event(s, 8, g.id, index, 0, 'withdrawn')
    end
  end
end

-- Ends a task and counts it. Leaves the group's row to the caller.
local function end_task(s, g, index, t, ending, body)
  clear_wakes(s, g, index, t)
  local text
  if ending == DONE then
    g.ok, text = g.ok + 1, 'ok'
  elseif ending == FAILED then
    g.failed, text = g.failed + 1, 'failed'
  else
    g.cancelled, text = g.cancelled + 1, 'cancelled'
  end
  t.state, t.time = ending, 0
  write_task(g, index, t)
  if body then put_result(g, index, body) end
  event(s, 4, g.id, index, t.fence, text)
end

-- The indexes of a group that something may wake, in their order.
local function woken(g)
  local list = {}
  if not g.wide then
    for index = 0, g.count - 1 do list[index + 1] = index end
    return list
  end
  local key = wide_key('ww:', g)
  local pending = W[key] or {}
  for _, index in ipairs(call('HKEYS', key)) do
    index = tonumber(index)
    if pending[index] ~= false then list[#list + 1] = index end
  end
  table.sort(list)
  return list
end

-- Cancels the tasks of a group that have not ended; claimed ones only when asked to. Their
-- rows stay as they are: what the caller writes of the group, that it is closed or stopped,
-- says it of them. Whether a claimed task is left.
local function cancel_open_tasks(s, g, claimed_too)
  local left = not claimed_too and g.claimed or 0
  local cancelled = g.count - g.ok - g.failed - g.cancelled - left
  if cancelled + left <= 0 then return false end
  for _, index in ipairs(woken(g)) do
    local t = read_task(g, index)
    if t and t.state < DONE and (claimed_too or t.state ~= CLAIMED) then clear_wakes(s, g, index, t) end
  end
  g.next_held, g.cancelled, g.publishable = g.count, g.cancelled + cancelled, 0
  if cancelled > 0 then event(s, 4, g.id, false, cancelled, 'cancelled') end
  return left > 0
end

local function drop_group_due(g)
  due[due_group('p', g)], due[due_group('k', g)] = false, false
  if g.deadline then due[due_group('t', g)] = false end
end
