-- RESERVE: looks a key up, and reserves it for a job where it is free.
local name, job, lease_ms, cache = unrow(ARGV[1])
remove_old_keys()
local known = read_key(name)
if known and known.done then
  flush()
  return pack('done', known.what)
end
if known and known.what ~= job then
  flush()
  return pack('busy', known.until_)
end
if not cache then write_key(name, false, job, now + lease_ms) end
flush()
return pack('free')
