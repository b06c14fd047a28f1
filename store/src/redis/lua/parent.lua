-- Ends the caller's task with a child's end. Who calls is false where nothing followed; else
-- its uuid, and its tail.
local function child_ended(status, body)
  local parent, child = fixed().parent, U
  if not parent then return false end
  local uuid, gen, id, index = unpack(parent)
  enter(uuid)
  local text = get('s')
  if not text then
    enter(child)
    return false
  end
  local s = read_state(text)
  s.children = math.max(0, s.children - 1)
  local g = read_group(id)
  local t = g and read_task(g, index)
  local tail = false
  if t and not terminal(s) and gen == s.gen and g.kind == CHILD and t.state == PARKED then
    local ending = FAILED
    if status == SUCCEEDED then
      ending = DONE
    elseif status == RUN_CANCELLED and stopped(s, g) then
      ending = CANCELLED
    end
    tail = finish(s, g, index, t, ending, body)
  end
  R.s = state_row(s)
  enter(child)
  return tail and uuid, tail
end
