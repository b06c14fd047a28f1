-- SUBMIT: accepts a run, once per id.
local uuid, thread, digest, deadline, info, fixed_row, on_busy, actor, lasting, set_back, fork =
  unrow(ARGV[1])
enter(uuid)
local known = call('HGET', RK, 'f')
if known then
  local same = unrow(known) == digest
  return pack(same and 'exists' or 'conflict')
end
local TK = P .. 't:' .. thread
local row = call('HMGET', TK, 'h', 'a', 'q', 'k')
if row[1] and fork then return pack('conflict') end
local shared = fork and shares(thread, 0, fork[6], fork[7], fork[7]) or not fork and {}
if not shared then return pack('gone') end
local active = row[2] and row[2] ~= '' and row[2]
local takes_back = set_back and set_back[1] == active
if active and (on_busy == REJECT or on_busy == ROLLBACK and not takes_back) then return pack('busy') end

-- Cancels the active run in favour of this one, which is the next.
local function interrupt()
  enter(active)
  local text = get('s')
  local s = text and read_state(text)
  if s and s.status ~= CANCELLING and not s.undoing then
    local before = s.ver
    begin_cancel(s)
    audit(actor, 'cancel', '', before, s.ver, 'cancelling')
  end
  enter(uuid)
  call('HSET', TK, 'q', uuid .. (row[3] or ''))
  if on_busy == ROLLBACK then call('HSET', TK, 'b', set_back[2]) end
end

local head = tonumber(row[1] or 0)
if active and on_busy == ENQUEUE then
  call('HSET', TK, 'q', (row[3] or '') .. uuid)
elseif active then
  interrupt()
else
  call('HSET', TK, 'h', head, 'a', uuid)
end
if fork then
  local origin, data, channels
  origin, head, data, channels = unpack(fork)
  call('HSET', TK, 'o', origin, 'h', head)
  if #channels > 0 then send('HSET', TK, channels) end
  if #data > 0 then send('HSET', P .. 'x:' .. thread, data) end
end
hold_shares(shared, fork and fork[7])
-- Who needs what of the thread from now on.
local keeps = row[4]
if not row[1] then
  keeps = lasting and '' or uuid
  call('HSET', TK, 'k', keeps)
elseif keeps and keeps ~= '' then
  local first = call('HGET', P .. 'r:' .. keeps, 's')
  if first then call('ZADD', held_key(thread), read_state(first).base, keeps) end
  keeps = ''
  call('HSET', TK, 'k', keeps)
end
if keeps == '' then call('ZADD', held_key(thread), head, uuid) end
local name = active and 'queued' or 'running'
local s = new_state(active and QUEUED or RUNNING, head)
if fork then s.head, s.resumed = head, true end
event(s, SUBMITTED, '', false, 0, name)
R.f, R.i, R.s = fixed_row, info, state_row(s)
if not active then due[due_run('r')] = now end
if deadline then due[due_run('t')] = deadline end
call('ZADD', P .. 'l:' .. tenant(), now, uuid)
audit(actor, fork and 'fork' or 'submit', fork and fork[5] or '', 0, 1, name)
flush()
return pack(active and 'queued' or 'accepted')
