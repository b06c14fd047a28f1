-- What a release begins that no worker runs: a question is asked, a wait begins, a child starts.

-- The uuid of a run's id.
local function uuid_of(id) return (string.gsub(string.sub(id, 5), '-', '')) end

-- What is fixed about a child, from the words of its info.
local function child_row(info)
  local digest = string.gsub(info.body_digest, '%x%x', function(byte) return string.char(tonumber(byte, 16)) end)
  local run, gen, group, index = string.match(info.parent.job, '^([%x%-]+)/(%d+)/(.+)/(%d+)$')
  local root = info.parent.root_thread
  local deadline = info.deadline and info.deadline ~= cjson.null and info.deadline
  return pack(digest, info.thread.tenant .. '/' .. info.thread.thread, deadline, root.tenant .. '/' .. root.thread,
    { uuid_of(run), tonumber(gen), group, tonumber(index) }), deadline
end

-- Starts the run of a task that was released.
local function start_child(s, g, index, tail)
  local body = input(g, index)
  local info = cjson.decode(body)
  g.work, s.children = g.work + 1, s.children + 1
  event(s, WAITS, g.id, index, 0, info.id)
  local parent, uuid = U, uuid_of(info.id)
  enter(uuid)
  if not get('s') then
    local TK = P .. 't:' .. info.thread.tenant .. '/' .. info.thread.thread
    local base = tonumber(call('HGET', TK, 'h') or 0)
    call('HSET', TK, 'h', base, 'a', uuid)
    local child = new_state(RUNNING, base)
    event(child, SUBMITTED, '', false, 0, 'running')
    local deadline
    R.f, deadline = child_row(info)
    R.i, R.s = body, state_row(child)
    due[due_run('r')] = now
    if deadline then due[due_run('t')] = deadline end
    tail[4][#tail[4] + 1] = uuid
  end
  enter(parent)
end

-- What the release of a task that no worker runs begins: its row says that it is parked.
local function begin(s, g, index, tail)
  if g.kind == ASK then
    -- One that was asked before lies with its question.
    local body = input(g, index) or call('HGET', BK, '?' .. g.id .. '/' .. index) or ''
    local id, expires = question_id(g, index), over_at(read_terms(g, index))
    if g.wide then
      call('HDEL', wide_key('wi:', g), index)
    else
      local field = 'i' .. g.id .. '/' .. index
      if B[field] then B[field] = nil else B[field] = false end
    end
    ask(s, g, index, id, expires, body)
  elseif g.kind == WAIT then
    begin_wait(s, g, index)
  elseif g.kind == CHILD then
    start_child(s, g, index, tail)
  end
end
