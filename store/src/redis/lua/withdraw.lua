-- Withdraws the open question of a task, if it has one.
local function withdraw(s, g, index)
  due[due_task('t', g, index)] = false
  local q = read_question(g.id .. '/' .. index)
  if not q or q.state ~= 0 then return end
  q.state = 3
  write_question(q)
  call('ZREM', P .. 'n:' .. tenant(), inbox_member(q))
  event(s, ANSWERED, g.id, index, 0, 'withdrawn')
end
