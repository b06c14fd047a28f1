-- Makes a task publishable again, not before `at`, under a new publication.
local function requeue(s, g, index, t, at)
  clear_wakes(s, g, index, t)
  t.state, t.time, t.seq = PUBLISHABLE, at, t.seq + 1
  g.publishable = g.publishable + 1
  write_task(g, index, t)
  write_group(g)
  due[due_task('p', g, index)] = at
end
