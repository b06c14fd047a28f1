-- The rows of a run: what changes about it, its groups, tasks and questions.

-- What a submit does on a busy thread.
local REJECT, ENQUEUE, INTERRUPT, ROLLBACK = 0, 1, 2, 3

-- Statuses of a run, in the order of their declaration.
local QUEUED, RUNNING, CANCELLING, UNDOING = 0, 1, 2, 3
local SUCCEEDED, RUN_FAILED, RUN_CANCELLED, STUCK = 4, 5, 6, 7

local function terminal(state) return state.status >= 4 and state.status <= 6 end
local function live(state) return state.status == RUNNING or state.status == UNDOING end

local function read_state(text)
  local status, gen, ver, head, superstep, created, ready, ended, op, attempts, number, closed, detached, groups,
    base, resumed, awaiting, waits, children, undoing, leaving = unrow(text)
  return {
    status = status, gen = gen, ver = ver, head = head, superstep = superstep, created = created,
    ready = ready, ended = ended, op = op, attempts = attempts, events = number, closed = closed,
    detached = detached, groups = groups, base = base or 0, resumed = resumed or false, awaiting = awaiting or 0,
    waits = waits or 0, children = children or 0, undoing = undoing or false, leaving = leaving or 0,
  }
end

local function state_row(s)
  return pack(s.status, s.gen, s.ver, s.head, s.superstep, s.created, s.ready, s.ended, s.op,
    s.attempts, s.events, s.closed, s.detached, s.groups, s.base, s.resumed, s.awaiting,
    s.waits, s.children, s.undoing, s.leaving)
end

-- A run at its submit.
local function new_state(status, base)
  return {
    status = status, gen = 0, ver = 1, head = 0, superstep = 0, created = now, ready = now, ended = false,
    op = '', attempts = 0, events = 0, closed = 0, detached = 0, groups = {}, base = base, resumed = false,
    awaiting = 0, waits = 0, children = 0, undoing = false, leaving = 0,
  }
end

-- Kinds of events.
local SUBMITTED, ADVANCED, OPENED, CLAIMS, RECORDED, LEASE_OVER, CLOSES, ASKED, ANSWERED = 0, 1, 2, 3, 4, 5, 6, 7, 8
local CANCELS, PARKS, ENDED, WAITS, SIGNALLED, UNDOES, EDITED, RETRIED = 9, 10, 11, 12, 13, 14, 15, 16
local REPINNED = 17

-- States of a task. A fresh one has not been touched since its group was opened: where it
-- stands follows from the group's window.
local FRESH, HELD, PUBLISHABLE, DISPATCHED, CLAIMED, PARKED, UNKNOWN = 0, 1, 2, 3, 4, 5, 6
local DONE, FAILED, CANCELLED = 7, 8, 9
local OPEN, CLOSED, STOPPING, DROPPED = 0, 1, 2, 3
local JOB, ASK, WAIT, CHILD = 0, 1, 2, 3
local ONCE = 2

-- `work` counts what is at work: claimed jobs, and children that have not ended. `extra` says
-- whether its tasks have rows beside the usual ones. Indexes below `fresh` went when it was
-- opened; `epoch` counts how often it was opened again. `settling`, `from` and `until_`: see
-- needs.lua and rest.lua.
local function read_any(id)
  local text = get('g' .. id)
  if not text then return nil end
  local phase, next_held, ok, failed, cancelled, publishable, work, kind, count, need_ok, max_failed,
    detached, effect, wide, window, opened, deadline, undo, linked, extra, fresh, epoch, settling, from,
    until_, closed_at = unrow(text)
  return {
    id = id, phase = phase, next_held = next_held, ok = ok, failed = failed, cancelled = cancelled,
    publishable = publishable, work = work, kind = kind, count = count, need_ok = need_ok,
    max_failed = max_failed, detached = detached, effect = effect, wide = wide, window = window,
    opened = opened, deadline = deadline, undo = undo or false,
    linked = linked or false, extra = extra or false, fresh = fresh or window, epoch = epoch or 0,
    settling = settling or false, from = from or 0, until_ = until_ or 0, closed_at = closed_at or false,
  }
end

-- A group that is there for whoever looks.
local function read_group(id)
  local g = read_any(id)
  if g and g.phase ~= DROPPED then return g end
end

local function write_group(g)
  R['g' .. g.id] = pack(g.phase, g.next_held, g.ok, g.failed, g.cancelled, g.publishable, g.work, g.kind,
    g.count, g.need_ok, g.max_failed, g.detached, g.effect, g.wide, g.window, g.opened, g.deadline, g.undo,
    g.linked, g.extra, g.fresh, g.epoch, g.settling, g.from, g.until_, g.closed_at)
end

-- Keys of a wide group: its tasks ('wt:'), inputs ('wi:'), results ('wr:'), which indexes
-- something wakes ('ww:'), and what few groups have: see beside.lua.
local WIDE = { 'wt:', 'wi:', 'wr:', 'ww:', 'wh:', 'wu:', 'wn:', 'wk:', 'wq:', 'wz:', 'wf:' }
local function wide_key(what, g) return P .. what .. U .. ':' .. g.id end

-- States in which something of a task's own wakes it: a due entry or a question.
local WAKES = { [PUBLISHABLE] = true, [CLAIMED] = true, [PARKED] = true, [UNKNOWN] = true }

local function read_row(g, index, text)
  if not text then return nil end
  local state, time, digest, fence, app, infra, seq, worker, request, phase, epoch, trouble = unrow(text)
  local wakes = WAKES[state]
  if state == FRESH then
    if index >= g.fresh then
      state = HELD
    elseif g.kind == JOB then
      state, time, seq = PUBLISHABLE, g.opened, 1
    else
      state, wakes = PARKED, true
    end
  end
  -- A group that was opened again holds what had not succeeded.
  if state ~= DONE and (epoch or 0) ~= g.epoch then
    state, time, app, infra, worker, request, wakes, trouble = HELD, 0, 0, 0, '', '', false, false
  end
  -- What a group that closed or stops cancelled keeps its row.
  local at_work = state == CLAIMED or g.kind == CHILD and state == PARKED
  if state < DONE and (g.phase == CLOSED or g.phase == DROPPED or g.phase == STOPPING and not at_work) then
    state, time, worker, request = CANCELLED, 0, '', ''
  end
  return {
    state = state, time = time, digest = digest, fence = fence, app = app, infra = infra, seq = seq,
    worker = worker, request = request, phase = phase or 0, wakes = wakes, trouble = trouble or false,
  }
end

local function read_task(g, index)
  if g.wide then
    return read_row(g, index, get_wide(wide_key('wt:', g), index))
  end
  return read_row(g, index, get('t' .. g.id .. '/' .. index))
end

local function write_task(g, index, t)
  if t.state ~= CLAIMED then t.worker, t.request = '', '' end
  local row
  if t.trouble then
    row = pack(t.state, t.time, t.digest, t.fence, t.app, t.infra, t.seq, t.worker, t.request, t.phase, g.epoch, t.trouble)
  else
    row = pack(t.state, t.time, t.digest, t.fence, t.app, t.infra, t.seq, t.worker, t.request, t.phase, g.epoch)
  end
  if g.wide then
    local wakes = WAKES[t.state]
    put_wide(wide_key('wt:', g), index, row)
    if not wakes ~= not t.wakes then put_wide(wide_key('ww:', g), index, wakes and '' or false) end
    t.wakes = wakes
  else
    R['t' .. g.id .. '/' .. index] = row
  end
end

local function put_result(g, index, body)
  if g.wide then
    put_wide(wide_key('wr:', g), index, body)
  else
    B['r' .. g.id .. '/' .. index] = body
  end
end

-- Removes a group with its tasks and whatever is kept beside them.
local function delete_group(s, g)
  R['g' .. g.id], R['G' .. g.id], R['p' .. g.id] = false, false, false
  if g.wide then
    for _, what in ipairs(WIDE) do
      local key = wide_key(what, g)
      W[key] = nil
      unlink[#unlink + 1] = key
    end
  else
    if g.linked then R['z' .. g.id], R['f' .. g.id] = false, false end
    if g.kind == ASK then B['q' .. g.id] = false end
    for index = 0, g.count - 1 do
      local place = g.id .. '/' .. index
      R['t' .. place], B['i' .. place], B['r' .. place] = false, false, false
      if g.extra then R['h' .. place], R['u' .. place], R['n' .. place], B['k' .. place] = false, false, false, false end
    end
  end
  for place, id in ipairs(s.groups) do
    if id == g.id then
      table.remove(s.groups, place)
      break
    end
  end
end

-- Removes a group, at once or once nothing is left of it.
local function remove_group(s, g)
  if s.leaving == 0 or g.from >= g.until_ then return delete_group(s, g) end
  g.phase = DROPPED
  write_group(g)
end

-- Members of the due index, in the words of the records.
local function due_run(kind) return kind .. '|' .. U end
local function due_group(kind, g) return kind .. '|' .. U .. '|' .. g.id end
local function due_task(kind, g, index) return kind .. '|' .. U .. '|' .. g.id .. '|' .. index end

-- What is fixed about a run, as far as scripts must know it.
local function fixed()
  local _, thread, deadline, root, parent = unrow(get('f'))
  return { thread = thread, deadline = deadline, root = root or thread, parent = parent or false }
end

local function tenant() return string.match(fixed().thread, '^[^/]+') end

-- Whether nothing of a group starts any more: its run is cancelled, or turned to its
-- compensations after the group was opened.
local function stopped(s, g) return not g.detached and (s.status == CANCELLING or g.phase == STOPPING) end

-- An input; of an ask its question takes its place when it is asked.
local function input(g, index)
  if g.wide then return call('HGET', wide_key('wi:', g), index) end
  local field = 'i' .. g.id .. '/' .. index
  local body = B[field]
  if body == nil then body = call('HGET', BK, field) end
  return body
end

-- Whether a run has groups that it waits for or is to fold.
local function has_groups(s)
  for _, id in ipairs(s.groups) do
    local g = read_group(id)
    if g and not g.detached then return true end
  end
  return false
end

-- What a job goes on with.
local function continued(g, index)
  if g.wide then return call('HGET', wide_key('wk:', g), index) end
  return call('HGET', BK, 'k' .. g.id .. '/' .. index)
end
