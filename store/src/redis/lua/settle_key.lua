-- SETTLE: keeps the result of a key, or frees it.
local name, job, outcome, keep_ms, cache = unrow(ARGV[1])
remove_old_keys()
local known = read_key(name)
local changed = false
if outcome then
  -- The first result counts; a cache takes the newest.
  changed = cache or not (known and known.done)
  if changed then write_key(name, true, outcome, now + keep_ms) end
elseif known and not known.done and known.what == job then
  changed = true
  call('HDEL', KEYS_KEY, name)
  call('ZREM', UNTIL_KEY, name)
end
flush()
return pack(changed)
