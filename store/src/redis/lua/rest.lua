-- Cancelling what has not ended of a group.

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

-- Stops as many of a group's tasks as the share lets, from `from` on: questions, times and runs
-- of its tasks. Groups of jobs leave nothing: few of their tasks have something of their own.
local function stop_left(s, g)
  local last, phase = math.min(g.until_, g.from + share), g.phase
  share = share - (last - g.from)
  -- Each as it stood before the group stopped.
  g.phase = OPEN
  if g.wide then
    local near = {}
    for index = g.from, last - 1 do near[#near + 1] = index end
    fetch_wide(wide_key('wt:', g), near)
  end
  for index = g.from, last - 1 do
    local t = read_task(g, index)
    if t and t.state == PARKED then
      if g.kind == CHILD then
        cancel_child(g, index)
      else
        clear_wakes(s, g, index, t)
      end
    end
  end
  g.phase, g.from = phase, last
  if g.from >= g.until_ then g.from, g.until_ = 0, 0 end
end

-- Takes the jobs of a group out of whatever would wake them, those at work only when asked to.
local function stop_jobs(s, g, at_work_too)
  for _, index in ipairs(woken(g)) do
    local t = read_task(g, index)
    if t and t.state < DONE and t.state ~= HELD and (at_work_too or t.state ~= CLAIMED) then
      clear_wakes(s, g, index, t)
    end
  end
end

-- Cancels what has not ended of a group, and what is at work only when asked to; runs of
-- children are cancelled either way. The tasks' rows stay as they are: the phase that the
-- caller gives the group says it of them.
local function cancel_rest(s, g, at_work_too)
  local ended = g.ok + g.failed + g.cancelled
  if ended >= g.count then return end
  if g.kind == JOB then
    stop_jobs(s, g, at_work_too)
  elseif g.phase == OPEN then
    g.from, g.until_ = 0, g.linked and g.count or g.next_held
    stop_left(s, g)
    if g.from < g.until_ then s.leaving = s.leaving + 1 end
  end
  if at_work_too then g.work = 0 end
  local rest = math.max(0, g.count - ended - g.work)
  g.next_held, g.cancelled, g.publishable = g.count, g.cancelled + rest, 0
  if rest > 0 then event(s, RECORDED, g.id, false, rest, 'cancelled') end
end

-- Stops all that is left of one group.
local function stop_whole(s, g)
  share = math.max(share, g.until_)
  stop_left(s, g)
  s.leaving = math.max(0, s.leaving - 1)
  due[due_group('t', g)] = false
  if g.phase == DROPPED then return delete_group(s, g) end
  write_group(g)
end

-- Stops all that is left of a run's groups, for a retry.
local function stop_all_left(s)
  if s.leaving == 0 then return end
  for _, id in ipairs({ unpack(s.groups) }) do
    local g = read_any(id)
    if g and g.from < g.until_ then stop_whole(s, g) end
  end
end

-- Makes room for a group. One of its name may be gone, with something left; and a detached one
-- that outlived a retry from before its opening is done again in its place.
local function make_room(s, id)
  local g = read_any(id)
  if not g then return end
  if g.from < g.until_ then
    stop_whole(s, g)
  elseif g.detached then
    cancel_rest(s, g, true)
    drop_group_due(g)
    s.detached = math.max(0, s.detached - 1)
    delete_group(s, g)
  end
  -- Its keys are those of the group that comes.
  for first = 1, #unlink, 1000 do call('UNLINK', unpack(unlink, first, math.min(first + 999, #unlink))) end
  unlink = {}
end
