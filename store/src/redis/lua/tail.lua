-- How a task ends: what would wake it goes, its group counts it.

-- Removes whatever would wake a task in its present state.
local function clear_wakes(s, g, index, t)
  if t.state == PUBLISHABLE then
    g.publishable = math.max(0, g.publishable - 1)
    due[due_task('p', g, index)] = false
  elseif t.state == CLAIMED then
    g.work = math.max(0, g.work - 1)
    due[due_task('l', g, index)] = false
  elseif t.state == PARKED and g.kind == WAIT then
    stop_wait(s, g, index)
  elseif t.state == PARKED and g.kind == CHILD then
    g.work = math.max(0, g.work - 1)
  elseif t.state == PARKED or t.state == UNKNOWN then
    withdraw(s, g, index)
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
  event(s, RECORDED, g.id, index, t.fence, text)
end

-- Removes the due entries of a group as a whole, but what goes on with it where something is left.
local function drop_group_due(g)
  due[due_group('p', g)], due[due_group('k', g)] = false, false
  due[due_group('t', g)] = g.from < g.until_ and now
end

-- Counts a group as closed.
local function write_closed(s, g, why)
  g.phase, g.closed_at = CLOSED, now
  write_group(g)
  s.closed, s.ready = s.closed + 1, now
  event(s, CLOSES, g.id, false, g.ok, why)
end
