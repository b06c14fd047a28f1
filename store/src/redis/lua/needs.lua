-- Indexes that need one another: what the end of one means for those that need it, at a cost
-- of their number, and a share at a time.

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

-- Follows the lowest of these ends first, as far as the share goes; what is left of them stays.
-- `ended` gives for each index how far it was followed.
local function follow_needs(s, g, ended)
  local order = {}
  for index in pairs(ended) do order[#order + 1] = index end
  table.sort(order)
  local first = 1
  while order[first] do
    local index = order[first]
    local from = ended[index]
    first, ended[index] = first + 1, nil
    local ok, dependents = read_task(g, index).state == DONE, needed_by(g, index)
    if g.wide and #dependents - from > 1 then
      local near = {}
      for place = from + 1, math.min(#dependents, from + share) do near[#near + 1] = dependents[place] end
      fetch_wide(wide_key(ok and 'wu:' or 'wt:', g), near)
      if not ok then fetch_wide(wide_key('wn:', g), near) end
    end
    for place = from + 1, #dependents do
      if share == 0 then
        ended[index] = place - 1
        return
      end
      share = share - 1
      local dependent = dependents[place]
      if ok then
        need_met(g, dependent)
      else
        local t = read_task(g, dependent)
        if t and t.state == HELD then
          end_task(s, g, dependent, t, FAILED, DEPENDENCY_FAILED)
          g.next_held = g.next_held + 1
          if beside('n', g, dependent) then
            ended[dependent] = 0
            local at = #order + 1
            while at > first and order[at - 1] > dependent do
              order[at] = order[at - 1]
              at = at - 1
            end
            order[at] = dependent
          end
        end
      end
    end
  end
end

-- After the end of an index: those it was the last need of may go; after anything but a success
-- those that need it, and those that need them, fail.
local function settle_needs(s, g, index)
  if not beside('n', g, index) then return end
  if g.settling then return put_unsettled(g, index, 0) end
  local ended = { [index] = 0 }
  follow_needs(s, g, ended)
  g.settling = next(ended) ~= nil
  for each, from in pairs(ended) do put_unsettled(g, each, from) end
end

-- Goes on with what is left to be followed.
local function settle_left(s, g)
  local known, ended = unsettled(g, share), {}
  for _, each in ipairs(known) do ended[each[1]] = each[2] end
  follow_needs(s, g, ended)
  for _, each in ipairs(known) do
    if not ended[each[1]] then put_unsettled(g, each[1], false) end
  end
  for each, from in pairs(ended) do put_unsettled(g, each, from) end
  g.settling = #unsettled(g, 1) > 0
end
