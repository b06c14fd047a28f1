-- The common tail of every transition that ends a task: the next held index goes, or a group
-- that is decided closes.

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
