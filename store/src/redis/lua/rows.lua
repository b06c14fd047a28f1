-- The rows of a run: what changes about it, its groups, tasks and questions.

-- Statuses of a run, in the order of their declaration.
local QUEUED, RUNNING, CANCELLING, UNDOING, STUCK = 0, 1, 2, 3, 7

local function terminal(state) return state.status >= 4 and state.status <= 6 end
local function live(state) return state.status == RUNNING or state.status == UNDOING end

local function read_state(text)
  local status, gen, ver, head, superstep, created, ready, ended, op, attempts, number, closed, detached, groups,
    base, resumed, awaiting = unrow(text)
  return {
    status = status, gen = gen, ver = ver, head = head, superstep = superstep, created = created,
    ready = ready, ended = ended, op = op, attempts = attempts, events = number, closed = closed,
    detached = detached, groups = groups, base = base or 0, resumed = resumed or false, awaiting = awaiting or 0,
  }
end

local function state_row(s)
  return pack(s.status, s.gen, s.ver, s.head, s.superstep, s.created, s.ready, s.ended, s.op,
    s.attempts, s.events, s.closed, s.detached, s.groups, s.base, s.resumed, s.awaiting)
end

-- States of a task. A fresh one has not been touched since its group was opened: where it
-- stands follows from the group's window.
local FRESH, HELD, PUBLISHABLE, DISPATCHED, CLAIMED, PARKED, UNKNOWN, DONE, FAILED, CANCELLED =
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9
local OPEN, CLOSED = 0, 1
local JOB, ASK = 0, 1
local ONCE = 2

local function read_group(id)
  local text = get('g' .. id)
  if not text then return nil end
  local phase, next_held, ok, failed, cancelled, publishable, claimed, kind, count, need_ok, max_failed,
    detached, effect, wide, window, opened, deadline, stopped = unrow(text)
  return {
    id = id, phase = phase, next_held = next_held, ok = ok, failed = failed, cancelled = cancelled,
    publishable = publishable, claimed = claimed, kind = kind, count = count, need_ok = need_ok,
    max_failed = max_failed, detached = detached, effect = effect, wide = wide, window = window,
    opened = opened, deadline = deadline, stopped = stopped or false,
  }
end

local function write_group(g)
  R['g' .. g.id] = pack(g.phase, g.next_held, g.ok, g.failed, g.cancelled, g.publishable, g.claimed, g.kind,
    g.count, g.need_ok, g.max_failed, g.detached, g.effect, g.wide, g.window, g.opened, g.deadline, g.stopped)
end

-- Keys of a wide group: its tasks ('wt:'), inputs ('wi:') and results ('wr:'), and which
-- indexes something wakes ('ww:').
local WIDE = { 'wt:', 'wi:', 'wr:', 'ww:' }
local function wide_key(what, g) return P .. what .. U .. ':' .. g.id end

-- States in which something of a task's own wakes it: a due entry or a question.
local WAKES = { [PUBLISHABLE] = true, [CLAIMED] = true, [PARKED] = true, [UNKNOWN] = true }

local function read_row(g, index, text)
  if not text then return nil end
  local state, time, digest, fence, app, infra, seq, worker, request = unrow(text)
  local wakes = WAKES[state] or state == FRESH and g.kind ~= JOB
  if state == FRESH then
    if g.kind == ASK then
      state = PARKED
    elseif index < g.window then
      state, time, seq = PUBLISHABLE, g.opened, 1
    else
      state = HELD
    end
  end
  -- What a group that closed or stopped cancelled keeps its row.
  if state < DONE and (g.phase == CLOSED or g.stopped and state ~= CLAIMED) then
    state, time, worker, request = CANCELLED, 0, '', ''
  end
  return {
    state = state, time = time, digest = digest, fence = fence, app = app, infra = infra, seq = seq,
    worker = worker, request = request, wakes = wakes,
  }
end

local function read_task(g, index)
  if g.wide then
    local key = wide_key('wt:', g)
    local text = W[key] and W[key][index]
    return read_row(g, index, text or call('HGET', key, index))
  end
  return read_row(g, index, get('t' .. g.id .. '/' .. index))
end

local function write_task(g, index, t)
  if t.state ~= CLAIMED then t.worker, t.request = '', '' end
  local row = pack(t.state, t.time, t.digest, t.fence, t.app, t.infra, t.seq, t.worker, t.request)
  if g.wide then
    local key, wakes = wide_key('wt:', g), WAKES[t.state]
    W[key] = W[key] or {}
    W[key][index] = row
    if not wakes ~= not t.wakes then
      key = wide_key('ww:', g)
      W[key] = W[key] or {}
      W[key][index] = wakes and '' or false
    end
    t.wakes = wakes
  else
    R['t' .. g.id .. '/' .. index] = row
  end
end

local function put_result(g, index, body)
  if g.wide then
    call('HSET', wide_key('wr:', g), index, body)
  else
    B['r' .. g.id .. '/' .. index] = body
  end
end

-- Removes a group with its tasks, inputs and results.
local function delete_group(s, g)
  R['g' .. g.id], R['G' .. g.id], R['p' .. g.id] = false, false, false
  if g.wide then
    for _, what in ipairs(WIDE) do
      local key = wide_key(what, g)
      W[key] = nil
      unlink[#unlink + 1] = key
    end
  else
    for index = 0, g.count - 1 do
      local place = g.id .. '/' .. index
      R['t' .. place] = false
      if g.kind == JOB then B['i' .. place] = false end
      B['r' .. place] = false
    end
  end
  for place, id in ipairs(s.groups) do
    if id == g.id then
      table.remove(s.groups, place)
      break
    end
  end
end

-- Members of the due index, in the words of the records.
local function due_run(kind) return kind .. '|' .. U end
local function due_group(kind, g) return kind .. '|' .. U .. '|' .. g.id end
local function due_task(kind, g, index) return kind .. '|' .. U .. '|' .. g.id .. '|' .. index end

local function tenant()
  local _, thread = unrow(get('f'))
  return string.match(thread, '^[^/]+')
end
