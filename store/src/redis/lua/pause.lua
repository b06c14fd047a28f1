-- A job that goes on after a pause is published again. Its tail.
local function go_on(s, g, index, t)
  requeue(s, g, index, t, now)
  due[due_task('p', g, index)] = now + PUBLISH_AFTER_MS
  R.s = state_row(s)
  return { s.gen, { { g.id, index, t.seq } }, false, {} }
end
