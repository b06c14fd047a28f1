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
