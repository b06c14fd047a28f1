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

-- Cancels the tasks of a group that have not ended; claimed ones only when asked to.
-- Whether a claimed task is left.
local function cancel_open_tasks(s, g, claimed_too)
  local left = false
  if g.ok + g.failed + g.cancelled >= g.count then return false end
  if g.wide then
    local key, rows = wide_key('wt:', g), {}
    local list = call('HGETALL', key)
    for at = 1, #list, 2 do rows[tonumber(list[at])] = list[at + 1] end
    whole[key] = rows
  end
  for index = 0, g.count - 1 do
    local t = read_task(g, index)
    if t and t.state < DONE then
      if t.state == CLAIMED and not claimed_too then
        left = true
      else
        end_task(s, g, index, t, CANCELLED, false)
      end
    end
  end
  g.next_held = g.count
  return left
end

local function drop_group_due(g)
  due[due_group('p', g)], due[due_group('k', g)] = false, false
  if g.deadline then due[due_group('t', g)] = false end
end
