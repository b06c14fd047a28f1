-- Indexes that need one another: what the end of one means for those that need it, at a cost
-- of their number.

-- The indexes that need this one, in their order.
local function needed_by(g, index)
  local text, list = beside('n', g, index) or '', {}
  for at = 1, #text, 4 do list[#list + 1] = struct.unpack('<I4', text, at) end
  table.sort(list)
  return list
end

-- One need of an index is met: after its last it may go, unless another need failed it.
local function need_met(g, index)
  local missing = unrow(beside('u', g, index)) - 1
  put_beside('u', g, index, pack(missing))
  if missing == 0 and read_task(g, index).state == HELD then put_waiting(g, index) end
end

-- After the end of an index: those it was the last need of may go; after anything but a
-- success those that need it, and those that need them, fail.
local function settle_needs(s, g, index, succeeded)
  local ended, first = { { index, succeeded } }, 1
  while ended[first] do
    local from, ok = unpack(ended[first])
    first = first + 1
    local dependents = needed_by(g, from)
    if g.wide and #dependents > 1 then fetch_wide(wide_key(ok and 'wu:' or 'wt:', g), dependents) end
    for _, dependent in ipairs(dependents) do
      if ok then
        need_met(g, dependent)
      else
        local t = read_task(g, dependent)
        if t and t.state == HELD then
          end_task(s, g, dependent, t, FAILED, DEPENDENCY_FAILED)
          g.next_held = g.next_held + 1
          ended[#ended + 1] = { dependent, false }
        end
      end
    end
  end
end
