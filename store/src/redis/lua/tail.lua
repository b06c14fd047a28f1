-- The common tail of every transition that ends a task: counters, the next held index, and
-- the closing of a group that is decided.

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

-- Closes a group: cancels what has not ended and makes the run ready.
local function close_group(s, g)
  cancel_open_tasks(s, g, true)
  g.phase = CLOSED
  write_group(g)
  drop_group_due(g)
  s.closed, s.ready = s.closed + 1, now
  event(s, 6, g.id, false, g.ok, 'decided')
  if s.status ~= CANCELLING and s.status ~= STUCK then due[due_run('r')] = now + READY_AFTER_MS end
end

-- Ends whatever a group still has under way and removes it.
local function drop_group(s, id)
  local g = read_group(id)
  if not g then return end
  if g.phase == CLOSED then s.closed = math.max(0, s.closed - 1) end
  cancel_open_tasks(s, g, true)
  drop_group_due(g)
  delete_group(s, g)
end

-- The outcomes of a narrow group by index, false where there is none.
local function outcomes(g)
  if g.wide then
    local fields = {}
    for index = 0, g.count - 1 do fields[index + 1] = index end
    return call('HMGET', wide_key('wr:', g), unpack(fields))
  end
  local fields, found, missing = {}, {}, {}
  for index = 0, g.count - 1 do
    local field = 'r' .. g.id .. '/' .. index
    local body = B[field]
    if body == nil then
      fields[#fields + 1] = field
      missing[#missing + 1] = index + 1
    end
    found[index + 1] = body or false
  end
  if #fields > 0 then
    local values = call('HMGET', BK, unpack(fields))
    for place, at in ipairs(missing) do found[at] = values[place] end
  end
  return found
end

-- The run's state and its closed groups with their outcomes, as long as these are small.
local function closed_reply(s)
  local groups, bytes = {}, 0
  for _, id in ipairs(s.groups) do
    local g = read_group(id)
    if g.phase == CLOSED then
      local list = false
      if g.count > NARROW_TASKS_MAX then
        bytes = bytes + #(call('HGET', wide_key('wr:', g), 0) or '')
      elseif bytes <= CLOSED_BYTES_MAX then
        list = outcomes(g)
        for _, body in ipairs(list) do
          if body then bytes = bytes + #body end
          if bytes > CLOSED_BYTES_MAX then
            list = false
            break
          end
        end
      end
      groups[#groups + 1] = { get('G' .. id), get('g' .. id), list }
    end
  end
  return { state_row(s), groups }
end

-- Makes a run that is being cancelled ready once no claimed task is left.
local function hasten_cancel(s)
  for _, id in ipairs(s.groups) do
    local g = read_group(id)
    if not g.detached and g.phase ~= CLOSED and g.claimed > 0 then return end
  end
  due[due_run('r')] = now
end

-- Lets the next held task of an open group go: its index and dispatch seq, or false.
local function release_next(g)
  local index = g.next_held
  if index >= g.count or g.kind ~= JOB then return false end
  g.next_held = index + 1
  local t = read_task(g, index)
  if not t then return false end
  t.state, t.time, t.seq = PUBLISHABLE, now, t.seq + 1
  g.publishable = g.publishable + 1
  write_task(g, index, t)
  due[due_task('p', g, index)] = now + PUBLISH_AFTER_MS
  return { index, t.seq }
end

-- Ends a task and does what follows for its group and run. Writes the run's state. The
-- answer: what was released, and what is closed now (false where nothing is).
local function finish(s, g, index, t, ending, body)
  end_task(s, g, index, t, ending, body)
  local released, closed = false, false
  if g.detached then
    s.detached = math.max(0, s.detached - 1)
    drop_group_due(g)
    delete_group(s, g)
  elseif g.phase == OPEN
    and (g.ok >= g.need_ok or g.failed > g.max_failed or g.ok + g.failed + g.cancelled >= g.count) then
    close_group(s, g)
    if live(s) then closed = closed_reply(s) end
  else
    if g.phase == OPEN and s.status ~= CANCELLING then released = release_next(g) end
    write_group(g)
  end
  if s.status == CANCELLING and not g.detached then hasten_cancel(s) end
  R.s = state_row(s)
  return released, closed
end

-- Makes a task publishable again, not before `at`, under a new publication.
local function requeue(s, g, index, t, at)
  clear_wakes(s, g, index, t)
  t.state, t.time, t.seq = PUBLISHABLE, at, t.seq + 1
  g.publishable = g.publishable + 1
  write_task(g, index, t)
  write_group(g)
  due[due_task('p', g, index)] = at
end

-- A `once` job whose lease is over: it is never publishable again, and a person is asked.
local function lose_outcome(s, g, index, t, id)
  clear_wakes(s, g, index, t)
  t.state, t.time = UNKNOWN, 0
  write_task(g, index, t)
  write_group(g)
  local _, _, _, _, _, question = unrow(get('p' .. g.id))
  put_question(s, g, index, id, false, question)
  event(s, 5, g.id, index, t.fence, 'outcome_unknown')
  event(s, 7, g.id, index, 0, id)
  R.s = state_row(s)
end
