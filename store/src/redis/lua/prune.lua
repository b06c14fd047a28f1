-- PRUNE: removes a thread whose time is over, or checkpoints of it that nobody needs.
local thread, below = unrow(ARGV[1])
local TK, entry = P .. 't:' .. thread, 'x|' .. thread
local row = call('HMGET', TK, 'h', 'a', 'q', 'k', 'l', 'e', 'o', 'b')
if not row[1] then
  due[entry] = false
  flush()
  return pack('gone')
end
if row[4] and is_free(thread, row[2], row[3]) then
  local until_ = tonumber(row[6] or now)
  if until_ <= now then
    remove_thread(thread, row[7])
    flush()
    return pack('gone')
  end
  due[entry] = until_
  flush()
  return pack('kept')
end

-- The first state that somebody needs, where that is known.
local function first_needed()
  local active = row[2] or ''
  if row[4] ~= '' or active ~= '' and not call('ZSCORE', held_key(thread), active) then return nil end
  local first = tonumber(row[1])
  local held, back = first_held(thread), row[8] and unrow(row[8])
  if held and held < first then first = held end
  if back and back < first then first = back end
  return first
end

local from = 1
if row[7] then
  local _, _, at = unrow(row[7])
  from = at + 1
end
from = math.max(from, tonumber(row[5] or 0))
local bound = first_needed()
if not bound or from >= bound then
  due[entry] = false
  flush()
  return pack('kept')
end
if not below or below > bound then return pack('may', from, bound) end
local last = math.min(below, from + PRUNED_MAX)
if from < last then
  local gone = {}
  for seq = from, last - 1 do gone[#gone + 1] = 'c' .. string.format('%d', seq) end
  send('HDEL', P .. 'x:' .. thread, gone)
  call('HSET', TK, 'l', last)
end
due[entry] = last < below and now
flush()
return pack('pruned', last < below)
