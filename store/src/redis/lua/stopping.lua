-- Stopping a run's groups: what has not started is cancelled, what is at work is waited for.

-- Stops the open groups of a run but some; how many have something at work.
local function stop_groups(s, but)
  local left = 0
  for _, id in ipairs(s.groups) do
    local g = read_group(id)
    if g and not g.detached and not g.undo and not but[id] then
      if g.phase == OPEN then
        cancel_rest(s, g, false)
        drop_group_due(g)
        g.phase = STOPPING
        if g.work == 0 then write_closed(s, g, 'cancelled') else write_group(g) end
      end
      if g.phase == STOPPING then left = left + 1 end
    end
  end
  return left
end

-- Begins the cancel of a run.
function begin_cancel(s)
  if s.status == STUCK then call('HDEL', P .. 'k', U) end
  s.status, s.ver, s.ready = CANCELLING, s.ver + 1, now
  event(s, CANCELS, '', false, 0, '')
  local left = stop_groups(s, {})
  due[due_run('r')] = left == 0 and now
  due[due_run('c')] = now + CANCEL_AFTER_MS
  R.s = state_row(s)
end

-- Turns a run to its compensations: everything but these and what the commit opens stops.
local function begin_undoing(s, opened)
  s.status, s.undoing = UNDOING, true
  local left = stop_groups(s, opened)
  due[due_run('c')] = left > 0 and now + CANCEL_AFTER_MS
  event(s, UNDOES, '', false, left, '')
end
