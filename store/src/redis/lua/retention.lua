-- How long threads live. Of a thread's row: whether it goes with its run ('k', that run) or
-- outlives its runs ('k', empty), before which seq nothing is left ('l'), and when it may go
-- ('e'). Who holds which state of it lies in a set of its own ('i:'), by runs and by threads.
local function held_key(thread) return P .. 'i:' .. thread end

local function first_held(thread)
  local first = call('ZRANGE', held_key(thread), 0, 0, 'WITHSCORES')
  return first[2] and tonumber(first[2])
end

-- Who shares a thread's state of that seq from whom; nil where it was removed. `pruned` is
-- where the thread begins, `origin` and `at` what it shares, if it shares anything.
local function shares(thread, pruned, origin, at, seq)
  local list = {}
  while origin and seq <= at do
    local row = call('HMGET', P .. 't:' .. origin, 'h', 'l', 'o')
    if not row[1] then return nil end
    list[#list + 1] = { thread, origin }
    thread, pruned, origin = origin, tonumber(row[2] or 0), false
    if row[3] then
      local tenant, name, last = unrow(row[3])
      origin, at = tenant .. '/' .. name, last
    end
  end
  return (seq == 0 or seq >= pruned) and list or nil
end

-- Holds a state for those who share it.
local function hold_shares(list, seq)
  for _, each in ipairs(list) do
    local held = tonumber(call('ZSCORE', held_key(each[2]), each[1]) or nil)
    if not held or seq < held then call('ZADD', held_key(each[2]), seq, each[1]) end
  end
end

local function remove_thread(thread, origin)
  for _, what in ipairs({ 't:', 'x:', 'y:', 'i:' }) do unlink[#unlink + 1] = P .. what .. thread end
  due['x|' .. thread] = false
  if origin then
    local tenant, name = unrow(origin)
    origin = tenant .. '/' .. name
    call('ZREM', held_key(origin), thread)
    due['x|' .. origin] = now
  end
end

-- Whether nobody runs on a thread and nobody holds a state of it.
local function is_free(thread, active, queue)
  return (active or '') == '' and (queue or '') == '' and not first_held(thread)
end
