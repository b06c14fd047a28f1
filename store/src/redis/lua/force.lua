-- FORCE: waits no longer for what a run that is cancelled or turned to its compensations has
-- at work.
local uuid = unrow(ARGV[1])
enter(uuid)
local text = get('s')
local s = text and read_state(text)
if not s or s.status ~= CANCELLING and s.status ~= UNDOING then return pack(false) end
local forced = s.status == CANCELLING
for _, id in ipairs(s.groups) do
  local g = read_group(id)
  if g and stopped(s, g) and g.phase ~= CLOSED then
    cancel_rest(s, g, true)
    write_closed(s, g, 'cancelled')
    forced = true
  end
end
due[due_run('c')] = false
if forced then
  s.ready = now
  due[due_run('r')] = now
end
R.s = state_row(s)
flush()
return pack(forced)
