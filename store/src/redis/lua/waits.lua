-- Waits: how one begins and how it stops. A wait for a signal makes its run one that is looked
-- after when its root's thread is sent a signal.

local function begin_wait(s, g, index)
  local terms = read_terms(g, index)
  terms.until_ = over_at(terms)
  if not terms.until_ and not terms.signal then terms.until_ = now end
  write_terms(g, index, terms)
  if terms.until_ then due[due_task('t', g, index)] = terms.until_ end
  if not terms.signal then return event(s, WAITS, g.id, index, 0, 'time') end
  event(s, WAITS, g.id, index, 0, 'signal ' .. terms.signal)
  s.awaiting, s.waits = s.awaiting + 1, s.waits + 1
  local RT = P .. 't:' .. fixed().root
  if tonumber(call('HGET', RT, 'u') or 0) > 0 then due[due_run('s')] = now end
  if s.awaiting == 1 then call('HSET', RT, 'w', (call('HGET', RT, 'w') or '') .. U) end
end

-- A list of uuids without one of them.
local function without(list, gone)
  local rest = {}
  for at = 1, #list, 32 do
    local uuid = string.sub(list, at, at + 31)
    if uuid ~= gone then rest[#rest + 1] = uuid end
  end
  return table.concat(rest)
end

-- Takes a wait that ends out of whatever would end it.
local function stop_wait(s, g, index)
  due[due_task('t', g, index)] = false
  if not read_terms(g, index).signal then return end
  s.awaiting = math.max(0, s.awaiting - 1)
  if s.awaiting == 0 then
    due[due_run('s')] = false
    local RT = P .. 't:' .. fixed().root
    call('HSET', RT, 'w', without(call('HGET', RT, 'w') or '', U))
  end
end
