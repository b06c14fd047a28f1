-- RETRY: a run that ended or is stuck goes on in a new generation, from an earlier state or from
-- its failure: groups that were kept at its end are opened again.
local uuid, gen, from, actor, subject, deadline, names = unrow(ARGV[1])
enter(uuid)
local text = get('s')
if not text then return pack('unknown') end
local s = read_state(text)
if s.gen == gen + 1 then return pack('already') end
local ended = may_be_retried(s.status) and not fixed().parent
if not (s.status == STUCK or ended) or s.gen ~= gen then return pack('refused') end
local TK = P .. 't:' .. fixed().thread
local row = call('HMGET', TK, 'a', 'h', 'l', 'o')
if row[1] and row[1] ~= '' and row[1] ~= U then return pack('busy') end
local back, shared = from and from[1] or 0, {}
if back > 0 then
  local origin, at = false, 0
  if row[4] then
    local of, name, last = unrow(row[4])
    origin, at = of .. '/' .. name, last
  end
  shared = shares(fixed().thread, tonumber(row[3] or 0), origin, at, back)
  if not shared then return pack('gone') end
end

-- What is opened again needs ids of the new generation: of questions and of children.
local given, wanted = {}, {}
for _, each in ipairs(names) do given[each[1]] = each[2] end
for _, id in ipairs(s.groups) do
  local g = read_group(id)
  local named = g and (g.kind == ASK or g.kind == CHILD)
  if named and not given[id] and not from and not g.detached and not g.undo then
    wanted[#wanted + 1] = { id, g.kind == ASK, g.count }
  end
end
if #wanted > 0 then return pack('names', wanted) end

-- Gives a child another name: its task is of another generation.
local function rename_child(g, index)
  local child = string.sub(given[g.id], index * 36 + 1, index * 36 + 36)
  local partition = string.sub(P, 3, 5)
  local body = input(g, index)
  body = string.gsub(body, '^{"id":"[^"]*","thread":{"tenant":("[^"]*"),"thread":"[^"]*"}', function(of)
    return '{"id":"' .. partition .. '-' .. child .. '","thread":{"tenant":' .. of .. ',"thread":"~' .. partition
      .. '~' .. child .. '"}'
  end)
  body = string.gsub(body, '"parent":{"job":"([^"]*)/%d+/', function(run)
    return '"parent":{"job":"' .. run .. '/' .. s.gen .. '/'
  end)
  if g.wide then
    call('HSET', wide_key('wi:', g), index, body)
  else
    B['i' .. g.id .. '/' .. index] = body
  end
end

-- The rows of a group's tasks by index; of a wide one the indexes too as the server told them:
-- it takes a text back in a fraction of what it takes to write a number.
local function rows_of(g)
  local rows, texts = {}, {}
  if g.wide then
    -- In order, so that the tables grow as lists.
    for index = 0, g.count - 1 do rows[index], texts[index] = false, false end
    local list = call('HGETALL', wide_key('wt:', g))
    for at = 1, #list, 2 do
      local index = tonumber(list[at])
      rows[index], texts[index] = list[at + 1], list[at]
    end
  else
    for index = 0, g.count - 1 do rows[index] = get('t' .. g.id .. '/' .. index) end
  end
  return rows, texts
end

-- For each index how many of those it needs have not succeeded.
local function open_needs(g, rows)
  local needs = {}
  for index = 0, g.count - 1 do
    if string.byte(rows[index]) ~= DONE then
      for _, dependent in ipairs(needed_by(g, index)) do needs[dependent] = (needs[dependent] or 0) + 1 end
    end
  end
  return needs
end

-- Opens a group again: what had succeeded stays, the rest is held and let go within the window.
local function reopen(g, tail)
  local rows, texts = rows_of(g)
  local ok = 0
  for index = 0, g.count - 1 do
    if string.byte(rows[index]) == DONE then ok = ok + 1 end
  end
  local needs = g.linked and g.extra and open_needs(g, rows) or {}
  if g.wide then
    call('UNLINK', wide_key('ww:', g), wide_key('wz:', g), wide_key('wf:', g))
  else
    R['f' .. g.id] = false
  end
  g.phase, g.ok, g.failed, g.cancelled, g.publishable, g.work = OPEN, ok, 0, 0, 0, 0
  g.next_held, g.linked, g.epoch, g.settling = ok, true, g.epoch + 1, false
  g.closed_at = false
  local waiting, many, results = {}, 0, {}
  for index = 0, g.count - 1 do
    local state = string.byte(rows[index])
    if state ~= DONE then
      if state == FAILED or state == CANCELLED then results[#results + 1] = index end
      if g.kind == CHILD then rename_child(g, index) end
      local missing = needs[index] or 0
      if beside('u', g, index) then put_beside('u', g, index, pack(missing)) end
      if missing == 0 then
        local text = texts[index] or index
        waiting[many + 1], waiting[many + 2] = text, text
        many = many + 2
      end
    end
  end
  if g.wide then
    if #results > 0 then send('HDEL', wide_key('wr:', g), results) end
    if many > 0 then send('ZADD', wide_key('wz:', g), waiting) end
  else
    for _, index in ipairs(results) do B['r' .. g.id .. '/' .. index] = false end
    R['z' .. g.id] = false
    for at = 1, many, 2 do put_waiting(g, waiting[at]) end
  end
  if g.kind == ASK and g.wide then
    call('SET', wide_key('wq:', g), given[g.id])
  elseif g.kind == ASK then
    B['q' .. g.id] = given[g.id]
  end
  if g.ok >= g.need_ok or g.ok >= g.count then return close_group(s, g) end
  if g.deadline and g.deadline > now then due[due_group('t', g)] = g.deadline end
  if release_next(s, g, tail) then due[due_group('t', g)] = now end
  write_group(g)
end

local before = s.ver
call('HSET', TK, 'a', U, 'h', row[2] or 0)
hold_shares(shared, back)
if from then
  local key = held_key(fixed().thread)
  local held = call('ZSCORE', key, U)
  if held and back < tonumber(held) then call('ZADD', key, back, U) end
  s.head = go_back(TK, from)
end
stop_all_left(s)
if s.status == STUCK then
  call('HDEL', P .. 'k', U)
  for _, id in ipairs(s.groups) do
    local g = read_group(id)
    if g and not g.detached then freeze_group(s, g) end
  end
end
R.e = false
due[due_run('g')], due[due_run('c')] = false, false
if deadline then
  -- What is fixed is JSON, in which this word stands unescaped as a name only, at most once.
  local info, many = string.gsub(get('i'), '"deadline":%-?[%dnul]+', '"deadline":' .. string.format('%d', deadline), 1)
  if many == 0 then info = string.sub(info, 1, -2) .. ',"deadline":' .. string.format('%d', deadline) .. '}' end
  local row = { unrow(get('f')) }
  row[3] = deadline
  R.i, R.f = info, pack(unpack(row))
end
deadline = fixed().deadline
if deadline and deadline > now then due[due_run('t')] = deadline end
s.status, s.undoing, s.gen, s.ver, s.ended = RUNNING, false, s.gen + 1, s.ver + 1, false
s.attempts, s.closed, s.ready = 0, 0, now
event(s, RETRIED, '', false, s.gen, '')
stop_all_left(s)
local tail, reopened = { s.gen, {}, false, {} }, false
for _, id in ipairs({ unpack(s.groups) }) do
  local g = read_group(id)
  if g.detached then
    -- It goes on.
  elseif from or g.undo then
    delete_group(s, g)
  else
    reopen(g, tail)
    reopened = true
  end
end
s.resumed = not reopened and s.superstep > 0
due[due_run('r')] = (not reopened or s.closed > 0) and now
if due[due_run('r')] then tail[4][#tail[4] + 1] = U end
R.s = state_row(s)
audit(actor, 'retry', subject, before, s.ver, 'retried')
flush()
return pack('retried', tail)
