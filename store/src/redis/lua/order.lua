-- The order of groups: by the bytes of their node's path, then by activation. Comparing
-- strings with < would follow the server's locale.
local function group_before(a, b)
  local a_node, a_number = string.match(a, '^(.*)#(%d+)$')
  local b_node, b_number = string.match(b, '^(.*)#(%d+)$')
  for at = 1, math.min(#a_node, #b_node) do
    local x, y = string.byte(a_node, at), string.byte(b_node, at)
    if x ~= y then return x < y end
  end
  if #a_node ~= #b_node then return #a_node < #b_node end
  return tonumber(a_number) < tonumber(b_number)
end
