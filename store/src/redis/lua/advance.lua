-- ADVANCE: one checkpointed superstep, compared and set on the run's version.
--
-- There are two scripts of it: one that only consumes groups and opens groups of jobs has none
-- of the parts that the rest needs, and `more` says whether they are there.
local uuid, seen_ver, op, op_name, gen, consumed, cancelled, parent, head, data, channels, groups, staged, undoing,
  ending, more, after, closed_at = unrow(ARGV[1])
enter(uuid)
local fields = { 'f', 's' }
for _, id in ipairs(consumed) do fields[#fields + 1] = 'g' .. id end
fetch(fields)
if not seen.f then return pack('terminal') end
local s = read_state(seen.s)
if s.op == op then return pack('already', s.ver) end
if terminal(s) then return pack('terminal') end
local thread = fixed().thread
local TK = P .. 't:' .. thread
local may = live(s) or s.status == CANCELLING and (undoing or ending and ending[1] == RUN_CANCELLED)
if not may or seen_ver ~= s.ver then return pack('conflict') end
if after and after ~= s.op then return pack('conflict') end
if parent and parent ~= tonumber(call('HGET', TK, 'h') or 0) then return pack('conflict') end
local folded = {}
for place, id in ipairs(consumed) do
  local g = read_group(id)
  if not g or g.phase ~= CLOSED then return pack('conflict') end
  folded[place] = g
  if closed_at[place] and closed_at[place] ~= g.closed_at then return pack('conflict') end
end
if staged > 0 then
  local count = 0
  for _, name in ipairs(call('SMEMBERS', P .. 'sg:' .. U)) do
    if string.sub(name, 1, #op_name) == op_name then count = count + call('HLEN', staged_key('st:', name)) end
  end
  if count ~= staged then return pack('incomplete') end
end
if gen ~= s.gen then return pack('gen', s.gen) end
if (s.leaving > 0 or s.gen > 0 and s.detached > 0) and not more then return pack('more') end

if #data > 0 then send('HSET', P .. 'x:' .. thread, data) end
if head then
  s.head = head
  channels[#channels + 1] = 'h'
  channels[#channels + 1] = head
  send('HSET', TK, channels)
end
for _, g in ipairs(folded) do
  if not (ending and may_be_retried(ending[1])) then remove_group(s, g) end
  s.closed = math.max(0, s.closed - 1)
end
for _, id in ipairs(cancelled) do drop_group(s, id) end
if undoing then
  local opened = {}
  for _, new in ipairs(groups) do opened[new[1]] = true end
  begin_undoing(s, opened)
end
local tail = { s.gen, {}, false, {} }
for _, new in ipairs(groups) do
  if more and (s.leaving > 0 or s.gen > 0 and s.detached > 0) then make_room(s, new[1]) end
  open_group(s, new, op_name, tail)
end
if staged > 0 then delete_staged() end
s.ver, s.superstep, s.op, s.attempts, s.resumed = s.ver + 1, s.superstep + 1, op, 0, false
event(s, ADVANCED, '', false, s.head, '')
if ending then
  local following = end_run(s, TK, ending)
  R.s = state_row(s)
  local caller, followed = child_ended(ending[1], ending[3])
  flush()
  return pack('advanced', s.ver, false, following, tail[4], caller, followed)
end
if s.closed > 0 then
  s.ready = now
  due[due_run('r')] = now + READY_AFTER_MS
elseif s.undoing and not has_groups(s) then
  s.ready = now
  due[due_run('r')] = now
else
  due[due_run('r')] = false
end
R.s = state_row(s)
flush()
return pack('advanced', s.ver, s.closed > 0, false, tail[4], false)
