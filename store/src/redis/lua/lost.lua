-- A `once` job whose lease is over: it is never publishable again, and a person is asked.
local function lose_outcome(s, g, index, t, id)
  clear_wakes(s, g, index, t)
  t.state, t.time = UNKNOWN, 0
  write_task(g, index, t)
  write_group(g)
  event(s, LEASE_OVER, g.id, index, t.fence, 'outcome_unknown')
  local _, _, _, _, _, question = unrow(get('p' .. g.id))
  ask(s, g, index, id, false, question)
  R.s = state_row(s)
end
