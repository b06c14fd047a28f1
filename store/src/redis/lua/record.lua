-- RECORD: an attempt's outcome. The first success wins, whoever holds the lease by then; a
-- failure counts only from the attempt that holds the job.
--
-- There are two scripts of it: pauses, and ends that lead to more than the next job or a closed
-- group, take most of the shared parts, and `more` says whether they are there.
local uuid, gen, id, index, digest, fence, more, kind, body, class, code, retry_after, jitter, trouble =
  unrow(ARGV[1])
enter(uuid)
fetch({ 's', 'g' .. id, 't' .. id .. '/' .. index, 'G' .. id })
if not seen.s then return pack('unknown') end
local s, g = read_state(seen.s), read_group(id)
local detached = g and g.detached
if terminal(s) and not detached then return pack('run_terminal') end
local t = g and read_task(g, index)
if not t then return pack('unknown') end
if gen ~= s.gen or digest ~= t.digest then return pack('stale') end
if t.state >= DONE then return pack('duplicate') end

-- Whether an end leads to more than one script knows.
local function leads_to_more(ending)
  if more then return false end
  if g.linked or t.state == UNKNOWN or t.state == PARKED then return true end
  if g.detached then return false end
  local ok, failed = g.ok + (ending == DONE and 1 or 0), g.failed + (ending == FAILED and 1 or 0)
  local closes = g.phase == OPEN and (ok >= g.need_ok or failed > g.max_failed)
  return closes and g.ok + g.failed + g.cancelled + 1 < g.count
end

local function finished(ending)
  if leads_to_more(ending) then return pack('more') end
  local tail = finish(s, g, index, t, ending, body)
  flush()
  return pack('ok', tail)
end

-- Whether this failure is tried again.
local function may_retry(attempts_max, classes, codes)
  if class == 'c' or t.app + 1 >= attempts_max then return false end
  if class and string.find(classes, class, 1, true) then return true end
  for _, wanted in ipairs(codes) do
    if wanted == code then return true end
  end
  return false
end

-- Parks a claimed job: it goes on under another digest, with what it wanted back.
local function pause(goes_on, next_digest, ms, question, ids, first)
  local asked = false
  if question then
    asked = id_of_phase(ids, first, t.phase)
    if not asked then return pack('phase', t.phase) end
  end
  clear_wakes(s, g, index, t)
  t.phase, t.digest, t.app, t.infra, t.state, t.time = t.phase + 1, next_digest, 0, 0, PARKED, 0
  t.trouble = false
  write_task(g, index, t)
  event(s, WAITS, id, index, t.fence, 'job')
  put_continued(g, index, goes_on)
  if question then
    ask(s, g, index, asked, ms and now + ms, question)
  else
    local terms = read_terms(g, index)
    terms.until_ = now + ms
    write_terms(g, index, terms)
    due[due_task('t', g, index)] = terms.until_
  end
  write_group(g)
  R.s = state_row(s)
  flush()
  return pack('parked', asked)
end

-- Hands a job out again that its worker gives back.
local function given_back(ids, first)
  if g.effect == ONCE then
    if not more then return pack('more') end
    local question = id_of_phase(ids, first, t.phase)
    if not question then return pack('phase', t.phase) end
    lose_outcome(s, g, index, t, question)
    flush()
    return pack('parked', question)
  end
  requeue(s, g, index, t, now)
  event(s, RECORDED, id, index, t.fence, 'returned')
  R.s = state_row(s)
  flush()
  return pack('retry', now)
end

-- Hands a job out again that was not begun.
local function later(at, why)
  at = math.max(at, now)
  requeue(s, g, index, t, at)
  event(s, RECORDED, id, index, t.fence, why)
  R.s = state_row(s)
  flush()
  return pack('retry', at)
end

if kind == 'ok' then
  -- What is held was granted to nobody in this generation.
  if fence == 0 or fence > t.fence or t.state == HELD then return pack('stale_fence') end
  return finished(DONE)
end
local current = (t.state == CLAIMED or t.state == UNKNOWN and kind == 'error') and fence == t.fence
if not current then return pack('stale_fence') end
if kind == 'pause' then
  if not more then return pack('more') end
  if not stopped(s, g) then return pause(unpack(body)) end
  body = false
  return finished(CANCELLED)
end
if stopped(s, g) then
  if kind == 'return' or kind == 'later' then body = false end
  return finished(CANCELLED)
end
if kind == 'return' then return given_back(unpack(body)) end
if kind == 'later' then return later(unpack(body)) end
local attempts_max, backoff_min, backoff_max, classes, codes = unrow(get('p' .. id))
if g.effect == ONCE or not may_retry(attempts_max, classes, codes) then
  t.app = t.app + 1
  return finished(FAILED)
end
t.app, t.trouble = t.app + 1, trouble
local step = math.min(backoff_min * 2 ^ math.min(t.app - 1, 20), backoff_max)
local half = math.floor(step / 2)
local pause = half + math.floor((step - half) * jitter / 65536)
local at = now + math.max(pause, retry_after)
requeue(s, g, index, t, at)
event(s, RECORDED, id, index, t.fence, 'retry')
R.s = state_row(s)
flush()
return pack('retry', at)
