-- What few tasks have beside their row: terms ('h': when it is over, its signal, until when it
-- waits), what they need ('u': how many are missing) and who needs them ('n'), what a job goes
-- on with ('k'). Of a group: its questions' ids ('q'), which indexes may go ('z'), and which
-- ended and were not followed to all that need them ('f').

local function beside(letter, g, index)
  if not g.extra then return false end
  if not g.wide then return get(letter .. g.id .. '/' .. index) end
  return get_wide(wide_key('w' .. letter .. ':', g), index)
end

local function put_beside(letter, g, index, text)
  g.extra = true
  if g.wide then
    put_wide(wide_key('w' .. letter .. ':', g), index, text)
  else
    R[letter .. g.id .. '/' .. index] = text
  end
end

local function read_terms(g, index)
  local text = beside('h', g, index)
  if not text then return { at = false, after = false, signal = false, until_ = false } end
  local at, after, signal, until_ = unrow(text)
  return { at = at, after = after, signal = signal, until_ = until_ }
end

local function write_terms(g, index, terms)
  put_beside('h', g, index, pack(terms.at, terms.after, terms.signal, terms.until_))
end

-- The earlier of both times of a task that is released now, or false.
local function over_at(terms)
  local after = terms.after and now + terms.after
  if terms.at and after then return math.min(terms.at, after) end
  return terms.at or after
end

local function put_continued(g, index, body)
  g.extra = true
  if g.wide then
    call('HSET', wide_key('wk:', g), index, body)
  else
    B['k' .. g.id .. '/' .. index] = body
  end
end

-- The id of the question of an index of a group of asks.
local function question_id(g, index)
  if g.wide then return call('GETRANGE', wide_key('wq:', g), index * 32, index * 32 + 31) end
  local ids = B['q' .. g.id]
  if ids == nil then ids = call('HGET', BK, 'q' .. g.id) end
  return string.sub(ids, index * 32 + 1, index * 32 + 32)
end

-- Indexes that may go once the window has room: lowest first.
local function put_waiting(g, index)
  if g.wide then return call('ZADD', wide_key('wz:', g), index, index) end
  local text = get('z' .. g.id)
  local list = text and { unrow(text) } or {}
  list[#list + 1] = index
  table.sort(list)
  R['z' .. g.id] = pack(unpack(list))
end

-- Whether there are any.
local function has_waiting(g)
  if g.wide then return call('EXISTS', wide_key('wz:', g)) == 1 end
  local text = get('z' .. g.id)
  return text and text ~= '' or false
end

-- Takes the lowest of them, or false.
local function take_waiting(g)
  if g.wide then
    local first = call('ZPOPMIN', wide_key('wz:', g))
    return first[1] and tonumber(first[1])
  end
  local text = get('z' .. g.id)
  if not text or text == '' then return false end
  local list = { unrow(text) }
  local first = table.remove(list, 1)
  R['z' .. g.id] = #list > 0 and pack(unpack(list))
  return first or false
end

-- The lowest indexes that were not followed to the end, each with how far it was.
local function unsettled(g, limit)
  local list = {}
  if g.wide then
    local found = call('ZRANGE', wide_key('wf:', g), 0, limit - 1, 'WITHSCORES')
    for at = 1, #found, 2 do list[#list + 1] = { tonumber(found[at]), tonumber(found[at + 1]) % 1048576 } end
    return list
  end
  local text = get('f' .. g.id)
  local all = text and { unrow(text) } or {}
  for at = 1, math.min(#all, limit * 2), 2 do list[#list + 1] = { all[at], all[at + 1] } end
  return list
end

-- Notes such an index, and how far it was followed; or, with false, that it was to the end.
local function put_unsettled(g, index, from)
  if g.wide then
    local key = wide_key('wf:', g)
    if from then return call('ZADD', key, index * 1048576 + from, index) end
    return call('ZREM', key, index)
  end
  local list, rest = unsettled(g, 1048576), {}
  for _, each in ipairs(list) do
    if each[1] ~= index then rest[#rest + 1] = each end
  end
  if from then rest[#rest + 1] = { index, from } end
  table.sort(rest, function(a, b) return a[1] < b[1] end)
  local flat = {}
  for _, each in ipairs(rest) do
    flat[#flat + 1] = each[1]
    flat[#flat + 1] = each[2]
  end
  R['f' .. g.id] = #flat > 0 and pack(unpack(flat))
end
