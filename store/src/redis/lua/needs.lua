-- Indexes that need one another: what the end of one means for those that need it, at a cost
-- of their number.

-- The indexes that need this one, in their order.
local function needed_by(g, index)
  local text, list = beside('n', g, index) or '', {}
  for at = 1, #text, 4 do list[#list + 1] = struct.unpack('<I4', text, at) end
  table.sort(list)
  return list
end

-- After the end of an index: those it was the last need of may go; after anything but a
-- success those that need it, and those that need them, fail.
local function settle_needs(s, g, index, succeeded)
  local ended, first = { { index, succeeded } }, 1
  while ended[first] do
    local from, ok = unpack(ended[first])
    first = first + 1
    for _, dependent in ipairs(needed_by(g, from)) do
      local t = read_task(g, dependent)
      if t and t.state == HELD then
        if ok then
          local missing = unrow(beside('u', g, dependent)) - 1
          put_beside('u', g, dependent, pack(missing))
          if missing == 0 then put_waiting(g, dependent) end
        else
          end_task(s, g, dependent, t, FAILED, DEPENDENCY_FAILED)
          g.next_held = g.next_held + 1
          ended[#ended + 1] = { dependent, false }
        end
      end
    end
  end
end
