-- FIRE: the times that end questions, groups and runs.
local uuid, id, index, expired, unsignalled, nothing = unrow(ARGV[1])
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
  local deadline = fixed().deadline
  if not deadline then return pack('kept') end
  if deadline > now then return kept(entry, deadline) end
  if s.status == QUEUED then return kept(entry, now + HIDE_MS) end
  if not live(s) then return kept(entry, false) end
  due[entry] = false
  s.ready = now
  R.s = state_row(s)
  due[due_run('r')] = now
  local tail = { s.gen, {}, closed_reply(s), {} }
  flush()
  return pack('fired', tail)
end

-- Goes on with what is left of a group.
local function fire_left(g, entry)
  stop_left(s, g)
  local left = g.from < g.until_
  due[entry] = left and now
  if not left then s.leaving = math.max(0, s.leaving - 1) end
  if g.phase == DROPPED and not left then delete_group(s, g) else write_group(g) end
  R.s = state_row(s)
  flush()
  return pack('fired', { s.gen, {}, false, {} })
end

-- A group goes on with what a share was too small for.
local function fire_open(g, entry)
  local whole, tail = share + going, { s.gen, {}, false, {} }
  if g.settling then settle_left(s, g) end
  if is_decided(g) then
    close_group(s, g)
    tail[3] = live(s) and closed_reply(s)
    R.s = state_row(s)
    flush()
    return pack('fired', tail)
  end
  local more = release_next(s, g, tail) or g.settling
  due[entry] = more and now or g.deadline
  if share + going == whole then
    flush()
    return pack('kept')
  end
  write_group(g)
  R.s = state_row(s)
  flush()
  return pack('fired', tail)
end

-- A group's deadline: it closes with what it has.
local function fire_group()
  local entry = due_group('t', { id = id })
  local g = s and read_any(id)
  if not g or g.phase ~= OPEN and g.from >= g.until_ then return kept(entry, false) end
  if g.phase ~= OPEN then return fire_left(g, entry) end
  if not g.deadline or g.deadline > now then return fire_open(g, entry) end
  if g.detached then
    cancel_rest(s, g, true)
    s.detached = math.max(0, s.detached - 1)
    drop_group_due(g)
    delete_group(s, g)
    R.s = state_row(s)
    flush()
    return pack('fired', { s.gen, {}, false, {} })
  end
  close_group(s, g)
  local tail = { s.gen, {}, live(s) and closed_reply(s), {} }
  R.s = state_row(s)
  flush()
  return pack('fired', tail)
end

-- A task's time is over: its question expires, its wait ends, or it goes on.
local function fire_task()
  local entry = due_task('t', { id = id }, index)
  local g = s and read_group(id)
  local t = g and read_task(g, index)
  if not t or t.state ~= PARKED then return kept(entry, false) end
  local q = read_question(id .. '/' .. index)
  if q and q.state ~= 0 then q = nil end
  local terms = not q and read_terms(g, index)
  local over = terms and terms.until_
  if q then over = q.expires end
  if not over then return kept(entry, false) end
  if over > now then return kept(entry, over) end
  local tail
  if q then
    q.state = 2
    settle_question(s, q, g, index, 'expired')
    tail = finish(s, g, index, t, FAILED, expired)
  elseif g.kind == JOB then
    tail = go_on(s, g, index, t)
  elseif terms.signal then
    tail = finish(s, g, index, t, FAILED, unsignalled)
  else
    tail = finish(s, g, index, t, DONE, nothing)
  end
  flush()
  return pack('fired', tail)
end

if not id then return fire_run() end
if not index then return fire_group() end
return fire_task()
