-- Staged tasks: rows ('st:') and bodies ('si:') per operation and group, and a set of both.
local function staged_key(what, name) return P .. what .. U .. ':' .. name end

local function delete_staged()
  local set = P .. 'sg:' .. U
  for _, name in ipairs(call('SMEMBERS', set)) do
    call('UNLINK', staged_key('st:', name), staged_key('si:', name))
  end
  call('UNLINK', set)
end
