-- Writes a question that is no longer open, and takes it out of the inbox.
local function settle_question(s, q, g, index, how)
  write_question(q)
  call('ZREM', P .. 'n:' .. tenant(), inbox_member(q))
  due[due_task('t', g, index)] = false
  event(s, ANSWERED, g.id, index, 0, how)
end
