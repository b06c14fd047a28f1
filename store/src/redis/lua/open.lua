-- Opening groups: what is under way comes in within the window, the rest is held.

-- The keys of a wide group: what was staged takes its place, what came along is written.
local STAGED = { 't', 'i', 'h', 'u', 'n' }
local function place_wide(g, lists, op_name)
  local name = op_name .. g.id
  for place, letter in ipairs(STAGED) do
    local key, list = wide_key('w' .. letter .. ':', g), lists[place]
    if #list > 0 then
      send('HSET', key, list)
    elseif call('EXISTS', staged_key('s' .. letter .. ':', name)) == 1 then
      call('RENAME', staged_key('s' .. letter .. ':', name), key)
      if letter == 'h' then g.extra = true end
      if letter == 'u' then g.extra, g.linked = true, true end
    end
  end
  call('SREM', P .. 'sg:' .. U, name)
end

local function place_narrow(lists)
  local rows, bodies, terms, missing, needed = unpack(lists)
  for _, list in ipairs({ rows, terms, missing, needed }) do
    for at = 1, #list, 2 do R[list[at]] = list[at + 1] end
  end
  for at = 1, #bodies, 2 do B[bodies[at]] = bodies[at + 1] end
end

-- Lets the first indexes of a group go whose indexes need one another, as many as there is room
-- for; the others that need none wait.
local function open_linked(g, room)
  local bound = {}
  if g.wide then
    for _, index in ipairs(call('HKEYS', wide_key('wu:', g))) do bound[tonumber(index)] = true end
  end
  local waiting = {}
  for index = 0, g.count - 1 do
    if not (bound[index] or not g.wide and R['u' .. g.id .. '/' .. index]) then
      if g.next_held < room then
        g.next_held = g.next_held + 1
        local t = read_task(g, index)
        t.state, t.time = PARKED, 0
        if g.kind == JOB then
          t.state, t.time, t.seq = PUBLISHABLE, now, 1
          g.publishable = g.publishable + 1
        end
        write_task(g, index, t)
      elseif g.wide then
        waiting[#waiting + 1] = index
        waiting[#waiting + 1] = index
      else
        put_waiting(g, index)
      end
    end
  end
  if #waiting > 0 then send('ZADD', wide_key('wz:', g), waiting) end
end

local function open_group(s, new, op_name, tail)
  local id, kind, count, need_ok, max_failed, detached, effect, undo, wide, linked, extra, window, deadline, tool,
    lists, ids, info, policy = unpack(new)
  local g = {
    id = id, phase = OPEN, next_held = 0, ok = 0, failed = 0, cancelled = 0, publishable = 0, work = 0, kind = kind,
    count = count, need_ok = need_ok, max_failed = max_failed, detached = detached, effect = effect, wide = wide,
    window = window, opened = now, deadline = deadline, undo = undo, linked = linked, extra = extra,
    fresh = 0, epoch = 0, settling = false, from = 0, until_ = 0, closed_at = false,
  }
  local place = 1
  while s.groups[place] and group_before(s.groups[place], id) do place = place + 1 end
  table.insert(s.groups, place, id)
  event(s, OPENED, id, false, count, tool)
  R['G' .. id], R['p' .. id] = info, policy or nil
  if wide then place_wide(g, lists, op_name) else place_narrow(lists) end
  if ids and wide then
    call('SET', wide_key('wq:', g), ids)
  elseif ids then
    B['q' .. id] = ids
  end
  -- Jobs that are let go at once cost nothing each: where they stand follows from the window.
  local room = window
  if kind ~= JOB or g.linked then room = math.min(window, going) end
  if g.linked then
    open_linked(g, room)
  else
    g.fresh, g.next_held, g.publishable = room, room, kind == JOB and room or 0
  end
  if kind ~= JOB or g.linked then going = going - g.next_held end
  local more = g.next_held == room and room < window
  if kind ~= JOB then
    if wide and not g.linked then
      local near = {}
      for index = 0, room - 1 do near[index + 1] = index end
      fetch_wide(wide_key('wt:', g), near)
    end
    for index = 0, g.linked and count - 1 or room - 1 do
      local t = read_task(g, index)
      if t.state == PARKED then
        if wide and not g.linked then put_wide(wide_key('ww:', g), index, '') end
        begin(s, g, index, tail)
      end
    end
    -- Once all are asked nobody needs the ids of questions.
    if ids and not wide and g.next_held == count then B['q' .. id] = nil end
  end
  write_group(g)
  if kind == JOB then due[due_group('p', g)] = now + PUBLISH_AFTER_MS end
  if more then
    due[due_group('t', g)] = now
  elseif deadline then
    due[due_group('t', g)] = deadline
  end
  if detached then s.detached = s.detached + 1 end
end
