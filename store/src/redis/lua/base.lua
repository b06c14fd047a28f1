-- What every script begins with: the moment, the writes it collects, and their flush.
--
-- KEYS[1] is the partition's hash tag; every key begins with it. ARGV[1] is the command in
-- MessagePack. ARGV[2], where given, is the moment (tests); else it is the later of the
-- server's clock and the partition's last moment, so that it never falls.
--
-- Reads go through get(), writes into R, B and due; flush() sends them. What a script
-- refuses it refuses before the first write.

local call, pack, unrow = redis.call, cmsgpack.pack, cmsgpack.unpack
local P = KEYS[1]

local now, kept = tonumber(ARGV[2]), false
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
  kept = tonumber(call('GET', P .. 'c') or 0)
  if kept > now then now = kept end
end

-- The run under way: its uuid, its row key, its body key, what was read of it, its events,
-- and what is to be written (false removes a field). A script may enter several runs and come
-- back to each: what it did there is still to be written.
local U, RK, BK
local R, B, seen, events = {}, {}, {}, {}
local runs, entered = {}, {}
-- Rows of wide groups' tasks by key and index: to be written, and read ahead.
local W, ahead = {}, {}
local due, unlink = {}, {}

-- Tasks that it may still follow to or stop beside the one it is about, and that it may let go.
local share, going = SHARE_MAX, SHARE_MAX

local function enter(uuid)
  local run = runs[uuid]
  if not run then
    run = { U = uuid, RK = P .. 'r:' .. uuid, BK = P .. 'b:' .. uuid, R = {}, B = {}, seen = {}, events = {} }
    runs[uuid] = run
    entered[#entered + 1] = run
  end
  U, RK, BK, R, B, seen, events = run.U, run.RK, run.BK, run.R, run.B, run.seen, run.events
end

-- Reads several fields of the run's row ahead.
local function fetch(fields)
  for first = 1, #fields, 1000 do
    local values = call('HMGET', RK, unpack(fields, first, math.min(first + 999, #fields)))
    for place, value in ipairs(values) do seen[fields[first + place - 1]] = value end
  end
end

local function get(field)
  local value = R[field]
  if value == nil then value = seen[field] end
  if value == nil then
    value = call('HGET', RK, field)
    seen[field] = value
  end
  return value
end

-- A row of a wide group's task.
local function get_wide(key, index)
  local text = W[key] and W[key][index]
  if text == nil then text = ahead[key] and ahead[key][index] end
  if text == nil then text = call('HGET', key, index) end
  return text
end

local function put_wide(key, index, text)
  W[key] = W[key] or {}
  W[key][index] = text
end

-- Reads several of them ahead.
local function fetch_wide(key, indexes)
  ahead[key] = ahead[key] or {}
  for first = 1, #indexes, 1000 do
    local values = call('HMGET', key, unpack(indexes, first, math.min(first + 999, #indexes)))
    for place, value in ipairs(values) do ahead[key][indexes[first + place - 1]] = value end
  end
end

-- Sends a long command in pieces.
local function send(command, key, list)
  for first = 1, #list, 1000 do
    call(command, key, unpack(list, first, math.min(first + 999, #list)))
  end
end

local function flush_fields(key, fields)
  local put, gone = {}, {}
  for field, value in pairs(fields) do
    if value then
      put[#put + 1] = field
      put[#put + 1] = value
    else
      gone[#gone + 1] = field
    end
  end
  if #put > 0 then send('HSET', key, put) end
  if #gone > 0 then send('HDEL', key, gone) end
end

local function flush_events(uuid, list)
  for first = 1, #list, 300 do
    call('XADD', P .. 'e', 'MAXLEN', '~', EVENTS_MAX, '*', 'e',
      pack(uuid, now, unpack(list, first, math.min(first + 299, #list))))
  end
end

-- Appends an event of the run; index is false where it is about none.
local function event(state, kind, group, index, number, text)
  state.events = state.events + 1
  local n = #events
  events[n + 1], events[n + 2], events[n + 3] = state.events, kind, group
  events[n + 4], events[n + 5], events[n + 6] = index, number, text
end

-- Keeps how many runs are open by status, for whoever watches the cluster: the row of a run says
-- as what it is counted, so that what another program left uncounted is put right with its next
-- change. 4 to 6 are the ends.
local function count(key, row)
  local status = string.byte(row)
  local as, counted = (status < 4 or status > 6) and tostring(status), call('HGET', key, 'o')
  if as == counted then return end
  if counted then call('HINCRBY', P .. 'o', counted, -1) end
  if as then
    call('HINCRBY', P .. 'o', as, 1)
    call('HSET', key, 'o', as)
  else
    call('HDEL', key, 'o')
  end
end

local function flush()
  for _, run in ipairs(entered) do
    local row, known = run.R.s, run.seen.s
    if row and not (known and string.byte(known) == string.byte(row)) then count(run.RK, row) end
    if next(run.R) then flush_fields(run.RK, run.R) end
    if next(run.B) then flush_fields(run.BK, run.B) end
    flush_events(run.U, run.events)
  end
  for key, fields in pairs(W) do flush_fields(key, fields) end
  local put, gone = {}, {}
  for member, at in pairs(due) do
    if at then
      put[#put + 1] = at
      put[#put + 1] = member
    else
      gone[#gone + 1] = member
    end
  end
  if #put > 0 then send('ZADD', P .. 'd', put) end
  if #gone > 0 then send('ZREM', P .. 'd', gone) end
  for first = 1, #unlink, 1000 do call('UNLINK', unpack(unlink, first, math.min(first + 999, #unlink))) end
  if kept and kept ~= now then call('SET', P .. 'c', now) end
  kept, R, B, events, runs, entered, W, ahead = now, {}, {}, {}, {}, {}, {}, {}
  due, unlink = {}, {}
end
