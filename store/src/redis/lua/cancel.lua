-- CANCEL: what has not started ends at once, claimed work learns of it at its renewal, and
-- only a terminal advance is left.
local uuid, actor, operation = unrow(ARGV[1])
enter(uuid)
local text = get('s')
if not text then return pack('unknown') end
local s = read_state(text)
if terminal(s) then return pack('terminal') end
if s.status == CANCELLING or s.undoing then return pack('already') end
local before = s.ver
begin_cancel(s)
audit(actor, 'cancel', operation, before, s.ver, 'cancelling')
flush()
return pack('cancelling')
