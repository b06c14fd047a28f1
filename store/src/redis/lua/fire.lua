-- FIRE: the times that end questions, groups and runs.
local uuid, id, index, expired = unrow(ARGV[1])
enter(uuid)
local text = get('s')
local s = text and read_state(text)

local function kept(entry, at)
  due[entry] = at
  flush()
  return pack('kept')
end

-- A run's duration is over: it becomes ready, and the step that follows ends it.
local function fire_run()
  local entry = due_run('t')
  if not s then return kept(entry, false) end
  local _, _, deadline = unrow(get('f'))
  if not deadline then return pack('kept') end
  if deadline > now then return kept(entry, deadline) end
  if s.status == QUEUED then return kept(entry, now + HIDE_MS) end
  if not live(s) then return kept(entry, false) end
  due[entry] = false
  s.ready = now
  R.s = state_row(s)
  due[due_run('r')] = now
  local closed = closed_reply(s)
  flush()
  return pack('fired', false, closed, s.gen)
end

-- A group's deadline: it closes with what it has.
local function fire_group()
  local entry = due_group('t', { id = id })
  local g = s and read_group(id)
  if not g or g.phase ~= OPEN then return kept(entry, false) end
  if not g.deadline then return pack('kept') end
  if g.deadline > now then return kept(entry, g.deadline) end
  if g.detached then
    cancel_open_tasks(s, g, true)
    s.detached = math.max(0, s.detached - 1)
    drop_group_due(g)
    delete_group(s, g)
    R.s = state_row(s)
    flush()
    return pack('fired', false, false, s.gen)
  end
  close_group(s, g)
  local closed = live(s) and closed_reply(s)
  R.s = state_row(s)
  flush()
  return pack('fired', false, closed, s.gen)
end

-- A question's expiry: its task fails with `expired`.
local function fire_question()
  if not s then return pack('kept') end
  local entry = due_task('t', { id = id }, index)
  local q = read_question(id .. '/' .. index)
  if not q or q.state ~= 0 then return kept(entry, false) end
  if q.expires and q.expires > now then return kept(entry, q.expires) end
  local g = read_group(id)
  local t = g and read_task(g, index)
  if not t then return kept(entry, false) end
  q.state = 2
  settle_question(s, q, g, index, 'expired')
  local released, closed = finish(s, g, index, t, FAILED, expired)
  flush()
  return pack('fired', released, closed, s.gen)
end

if not id then return fire_run() end
if not index then return fire_group() end
return fire_question()
