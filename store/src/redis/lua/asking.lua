-- Opens the question of a task.
local function ask(s, g, index, id, expires, body)
  local q = {
    place = g.id .. '/' .. index, state = 0, id = id, gen = s.gen, opened = now, expires = expires,
    decision = false, actor = false, at = false,
  }
  write_question(q)
  B['?' .. q.place] = body
  local whose = tenant()
  call('ZADD', P .. 'n:' .. whose, now, inbox_member(q))
  -- Whoever counts them finds the inboxes by this.
  call('HSET', P .. 'o', 't:' .. whose, '')
  if expires then due[due_task('t', g, index)] = expires end
  event(s, ASKED, g.id, index, 0, id)
end

-- The id of the question of a job's phase, of the ids that came along; false where these are
-- of other phases.
local function id_of_phase(ids, first, phase)
  local at = (phase - first) * 32
  return at >= 0 and at < #ids and string.sub(ids, at + 1, at + 32)
end
