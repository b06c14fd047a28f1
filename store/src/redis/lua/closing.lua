-- The common tail of every transition that ends a task: the next held index goes, or a group
-- that is decided closes.

-- Closes a group: cancels what has not ended and makes the run ready.
local function close_group(s, g)
  local why = g.phase == STOPPING and 'cancelled' or 'decided'
  if g.ok + g.failed + g.cancelled < g.count then cancel_rest(s, g, true) end
  write_closed(s, g, why)
  drop_group_due(g)
  if s.status ~= CANCELLING and s.status ~= STUCK then due[due_run('r')] = now + READY_AFTER_MS end
end

-- The outcomes of a narrow group by index, false where there is none.
local function outcomes(g)
  if g.wide then
    local key, list, indexes = wide_key('wr:', g), {}, {}
    for index = 0, g.count - 1 do indexes[index + 1] = index end
    fetch_wide(key, indexes)
    for index = 0, g.count - 1 do list[index + 1] = get_wide(key, index) end
    return list
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
    if g and g.phase == CLOSED then
      local list = false
      if g.count > NARROW_TASKS_MAX then
        bytes = bytes + #(get_wide(wide_key('wr:', g), 0) or '')
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

-- Makes a run that is being cancelled ready once nothing of it is at work.
local function hasten_cancel(s)
  for _, id in ipairs(s.groups) do
    local g = read_group(id)
    if g and not g.detached and g.phase ~= CLOSED and g.work > 0 then return end
  end
  due[due_run('r')] = now
end

-- Whether nothing more is to come.
local function is_decided(g)
  return g.ok >= g.need_ok or g.failed > g.max_failed and not g.settling or g.ok + g.failed + g.cancelled >= g.count
end

-- What the end of a task leads to in its group, which is written. Whether it closed.
local function follow_group(s, g, index, tail)
  local open = g.phase == OPEN
  if open and g.linked then settle_needs(s, g, index) end
  local closes = g.phase == STOPPING and g.work == 0
  if open then closes = is_decided(g) end
  if closes then
    close_group(s, g)
    return true
  end
  local more = open and g.settling
  if open and not stopped(s, g) then more = release_next(s, g, tail) or more end
  if more then due[due_group('t', g)] = now end
  write_group(g)
  return false
end

-- Ends a task and does what follows for its group and run. Writes the run's state. The
-- answer is its tail: the run's generation, what was released, what is closed now (false
-- where nothing is), and which runs became ready.
local function finish(s, g, index, t, ending, body)
  end_task(s, g, index, t, ending, body)
  local tail = { s.gen, {}, false, {} }
  if g.detached then
    s.detached = math.max(0, s.detached - 1)
    drop_group_due(g)
    delete_group(s, g)
  elseif follow_group(s, g, index, tail) and live(s) then
    tail[3] = closed_reply(s)
  end
  if s.status == CANCELLING and not g.detached then hasten_cancel(s) end
  R.s = state_row(s)
  return tail
end
