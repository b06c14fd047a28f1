-- The end of groups and of a run, which is written once; the thread's next run has its turn.

-- Ends whatever a group still has under way and removes it.
local function drop_group(s, id)
  local g = read_group(id)
  if not g then return end
  if g.phase == CLOSED then s.closed = math.max(0, s.closed - 1) end
  cancel_rest(s, g, true)
  drop_group_due(g)
  remove_group(s, g)
end

-- Ends whatever a group still has under way and keeps it, for a retry: nothing wakes it.
local function freeze_group(s, g)
  if g.phase == CLOSED then return end
  cancel_rest(s, g, true)
  drop_group_due(g)
  g.phase = CLOSED
  write_group(g)
end

-- Whether a run that ended so may be taken up again where it failed: its groups are kept.
local function may_be_retried(status) return status == RUN_FAILED or status == RUN_CANCELLED end

-- Makes the thread's next queued run active and ready: its uuid, or false.
local function next_turn(TK, queue, head)
  local active = ''
  while queue ~= '' and active == '' do
    local uuid = string.sub(queue, 1, 32)
    queue = string.sub(queue, 33)
    local key = P .. 'r:' .. uuid
    local text = call('HGET', key, 's')
    local s = text and read_state(text)
    if s and not terminal(s) then
      active = uuid
      if s.status == QUEUED then s.status = RUNNING end
      s.base, s.ready = head, now
      local row = state_row(s)
      call('HSET', key, 's', row)
      count(key, row)
      due['r|' .. uuid] = now
    end
  end
  local beyond = active ~= '' and call('HGET', TK, 'k') == ''
  if beyond then call('ZADD', P .. 'i:' .. string.sub(TK, #P + 3), head, active) end
  call('HSET', TK, 'a', active, 'q', queue)
  return active ~= '' and active
end

local function end_run(s, TK, ending)
  local status, name, body = unpack(ending)
  for _, id in ipairs({ unpack(s.groups) }) do
    local g = read_group(id)
    if not g or g.detached then
      -- It goes on.
    elseif may_be_retried(status) and not g.undo then
      freeze_group(s, g)
    else
      drop_group(s, id)
    end
  end
  delete_staged()
  due[due_run('r')], due[due_run('c')], due[due_run('t')] = false, false, false
  due[due_run('g')] = now + RETENTION_MS
  s.status, s.closed, s.ended = status, 0, now
  event(s, ENDED, '', false, 0, name)
  R.e = body
  local row = call('HMGET', TK, 'a', 'q', 'h', 'b')
  local queue = row[2] or ''
  if row[1] == U then
    local head = tonumber(row[3] or 0)
    if row[4] then
      head = go_back(TK, { unrow(row[4]) })
      call('HDEL', TK, 'b')
    end
    return next_turn(TK, queue, head)
  end
  call('HSET', TK, 'q', without(queue, U))
  return false
end
