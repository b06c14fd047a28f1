-- Letting tasks go, as many as a group's window has room for.

-- Lets one task go, and notes a job in the tail. A job's publication has a due entry of its own.
local function release(s, g, index, t, tail)
  if g.kind == JOB then
    t.state, t.time, t.seq = PUBLISHABLE, now, t.seq + 1
    g.publishable = g.publishable + 1
    write_task(g, index, t)
    due[due_task('p', g, index)] = now + PUBLISH_AFTER_MS
    tail[2][#tail[2] + 1] = { g.id, index, t.seq }
  else
    t.state, t.time = PARKED, 0
    write_task(g, index, t)
    begin(s, g, index, tail)
  end
end

-- Lets the next indexes of an open group go, as many as its window and the share have room for;
-- whether more would. The group's row is the caller's to write.
local function release_next(s, g, tail)
  while g.next_held < g.count and g.next_held - (g.ok + g.failed + g.cancelled) < g.window do
    local index = g.next_held
    if g.linked and going == 0 then return has_waiting(g) end
    if g.linked then
      index = take_waiting(g)
      if not index then return false end
    end
    if going == 0 then return true end
    going = going - 1
    g.next_held = g.next_held + 1
    local t = read_task(g, index)
    if not t then return false end
    release(s, g, index, t, tail)
  end
  return false
end
