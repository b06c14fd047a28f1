-- How a task ends: what would wake it goes, its group counts it.

-- Withdraws the open question of a task, if it has one.
local function withdraw(s, g, index)
  due[due_task('t', g, index)] = false
  local q = read_question(g.id .. '/' .. index)
  if not q or q.state ~= 0 then return end
  q.state = 3
  write_question(q)
  call('ZREM', P .. 'n:' .. tenant(), inbox_member(q))
  event(s, ANSWERED, g.id, index, 0, 'withdrawn')
end

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
    if pending[index] == nil then list[#list + 1] = index end
  end
  for index, wakes in pairs(pending) do
    if wakes then list[#list + 1] = index end
  end
  table.sort(list)
  return list
end

-- Given by stopping.lua.
local begin_cancel

-- Cancels the run of a task that is no longer wanted.
local function cancel_child(g, index)
  local body = input(g, index)
  local uuid = body and string.match(body, '^{"id":"%d+%-([%x%-]+)"')
  if not uuid then return end
  local parent = U
  enter((string.gsub(uuid, '-', '')))
  local text = get('s')
  local s = text and read_state(text)
  if s and not s.undoing and (s.status == QUEUED or s.status == RUNNING or s.status == STUCK) then begin_cancel(s) end
  enter(parent)
end

-- Cancels what has not ended of a group, and what is at work only when asked to; runs of
-- children are cancelled either way. The tasks' rows stay as they are: the phase that the
-- caller gives the group says it of them.
local function cancel_rest(s, g, at_work_too)
  local ended = g.ok + g.failed + g.cancelled
  if ended >= g.count then return end
  for _, index in ipairs(woken(g)) do
    local t = read_task(g, index)
    if t and t.state < DONE and t.state ~= HELD then
      local child = g.kind == CHILD and t.state == PARKED
      if child then cancel_child(g, index) end
      if at_work_too or not (child or t.state == CLAIMED) then clear_wakes(s, g, index, t) end
    end
  end
  local rest = math.max(0, g.count - ended - g.work)
  g.next_held, g.cancelled, g.publishable = g.count, g.cancelled + rest, 0
  if rest > 0 then event(s, RECORDED, g.id, false, rest, 'cancelled') end
end

local function drop_group_due(g)
  due[due_group('p', g)], due[due_group('k', g)] = false, false
  if g.deadline then due[due_group('t', g)] = false end
end

-- Counts a group as closed.
local function write_closed(s, g, why)
  g.phase = CLOSED
  write_group(g)
  s.closed, s.ready = s.closed + 1, now
  event(s, CLOSES, g.id, false, g.ok, why)
end
