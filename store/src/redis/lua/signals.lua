-- Signals of a thread: rows by number ('s') and numbers by id ('i').
local function signals_key(thread) return P .. 'y:' .. thread end

local function read_signal(thread, number)
  local text = call('HGET', signals_key(thread), 's' .. number)
  if not text then return nil end
  local id, name, at, value, taken = unrow(text)
  return { number = number, id = id, name = name, at = at, value = value, taken = taken }
end

local function write_signal(thread, signal)
  call('HSET', signals_key(thread), 's' .. signal.number,
    pack(signal.id, signal.name, signal.at, signal.value, signal.taken), 'i' .. signal.id, signal.number)
end

local function delete_signal(thread, signal)
  call('HDEL', signals_key(thread), 's' .. signal.number, 'i' .. signal.id)
end
