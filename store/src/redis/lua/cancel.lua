-- CANCEL: what has not started ends at once, claimed work learns of it at its renewal, and
-- only a terminal advance is left.
local uuid, actor = unrow(ARGV[1])
enter(uuid)
local text = get('s')
if not text then return pack('unknown') end
local s = read_state(text)
if terminal(s) then return pack('terminal') end
if s.status == CANCELLING then return pack('already') end
local before = s.ver
if s.status == STUCK then call('HDEL', P .. 'k', U) end
s.status, s.ver, s.ready = CANCELLING, s.ver + 1, now
event(s, 9, '', false, 0, '')
local left = false
for _, id in ipairs(s.groups) do
  local g = read_group(id)
  if not g.detached and g.phase ~= CLOSED then
    left = cancel_open_tasks(s, g, false) or left
    drop_group_due(g)
    g.stopped = true
    write_group(g)
  end
end
due[due_run('r')] = not left and now
due[due_run('c')] = now + CANCEL_AFTER_MS
R.s = state_row(s)
audit(actor, 'cancel', '', before, s.ver, 'cancelling')
flush()
return pack('cancelling')
