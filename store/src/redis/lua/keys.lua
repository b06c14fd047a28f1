-- Keys of results: rows by name ('u'), and names by the moment their time is over ('v').
local KEYS_KEY, UNTIL_KEY = P .. 'u', P .. 'v'

local function remove_old_keys()
  local old = call('ZRANGEBYSCORE', UNTIL_KEY, '-inf', now, 'LIMIT', 0, KEYS_REMOVED_MAX)
  if #old == 0 then return end
  send('HDEL', KEYS_KEY, old)
  send('ZREM', UNTIL_KEY, old)
end

-- The row of a key whose time is not over: whether it is done, its job or outcome, its time.
local function read_key(name)
  local text = call('HGET', KEYS_KEY, name)
  if not text then return nil end
  local done, what, until_ = unrow(text)
  if until_ > now then return { done = done, what = what, until_ = until_ } end
end

local function write_key(name, done, what, until_)
  call('HSET', KEYS_KEY, name, pack(done, what, until_))
  call('ZADD', UNTIL_KEY, until_, name)
end
