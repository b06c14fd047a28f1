-- Opening groups: what is under way comes in within the window, the rest is held.

-- The keys of a wide group: what was staged takes its place, what came along is written.
local function place_wide(g, rows, bodies, op_name)
  local tasks, inputs = wide_key('wt:', g), wide_key('wi:', g)
  local name = op_name .. g.id
  if #rows > 0 then
    send('HSET', tasks, rows)
    send('HSET', inputs, bodies)
  elseif call('EXISTS', staged_key('st:', name)) == 1 then
    call('RENAME', staged_key('st:', name), tasks)
    call('RENAME', staged_key('si:', name), inputs)
    call('SREM', P .. 'sg:' .. U, name)
  end
end

-- Opens the questions of a group of asks; they, not inputs, hold what is asked.
local function ask_all(s, g, bodies, ids, expires)
  for index = 0, g.count - 1 do
    local body
    if g.wide then
      body = call('HGET', wide_key('wi:', g), index)
    else
      body = bodies[index + 1]
    end
    if body then
      local id = string.sub(ids, index * 32 + 1, index * 32 + 32)
      put_question(s, g, index, id, expires, body)
      if expires then due[due_task('t', g, index)] = expires end
      event(s, 7, g.id, index, 0, id)
    end
  end
  if g.wide then
    call('UNLINK', wide_key('wi:', g))
    local wakes = {}
    for index = 0, g.count - 1 do wakes[index] = '' end
    W[wide_key('ww:', g)] = wakes
  end
end

local function open_group(s, new, op_name)
  local id, kind, count, need_ok, max_failed, detached, effect, wide, window, deadline, expires, tool, rows, bodies,
    ids = unpack(new)
  local g = {
    id = id, phase = OPEN, next_held = window, ok = 0, failed = 0, cancelled = 0,
    publishable = kind == JOB and window or 0, claimed = 0, kind = kind, count = count, need_ok = need_ok,
    max_failed = max_failed, detached = detached, effect = effect, wide = wide, window = window, opened = now,
    deadline = deadline, stopped = false,
  }
  write_group(g)
  local place = 1
  while s.groups[place] and group_before(s.groups[place], id) do place = place + 1 end
  table.insert(s.groups, place, id)
  event(s, 2, id, false, count, tool)
  if wide then
    place_wide(g, rows, bodies, op_name)
  else
    if kind == JOB then
      for at = 1, #bodies, 2 do B[bodies[at]] = bodies[at + 1] end
    end
  end
  -- Of a narrow group these are all its rows; of a wide one its own come by place_wide.
  if not wide then
    for at = 1, #rows, 2 do R[rows[at]] = rows[at + 1] end
  end
  R['G' .. id], R['p' .. id] = new[16], new[17]
  if expires then expires = now + expires end
  if kind == ASK then ask_all(s, g, bodies, ids, expires) end
  if kind == JOB then due[due_group('p', g)] = now + PUBLISH_AFTER_MS end
  if deadline then due[due_group('t', g)] = deadline end
  if detached then s.detached = s.detached + 1 end
end
