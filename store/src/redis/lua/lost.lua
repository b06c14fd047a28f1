-- A `once` job whose lease is over: it is never publishable again, and a person is asked.
local function lose_outcome(s, g, index, t, id)
  clear_wakes(s, g, index, t)
  t.state, t.time = UNKNOWN, 0
  write_task(g, index, t)
  write_group(g)
  local _, _, _, _, _, question = unrow(get('p' .. g.id))
  put_question(s, g, index, id, false, question)
  event(s, 5, g.id, index, t.fence, 'outcome_unknown')
  event(s, 7, g.id, index, 0, id)
  R.s = state_row(s)
end
