-- Opens the question of a task.
local function put_question(s, g, index, id, expires, body)
  local q = {
    place = g.id .. '/' .. index, state = 0, id = id, gen = s.gen, opened = now, expires = expires,
    decision = false, actor = false, at = false,
  }
  write_question(q)
  B['?' .. q.place] = body
  call('ZADD', P .. 'n:' .. tenant(), now, inbox_member(q))
end
