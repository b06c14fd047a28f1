-- Staged tasks: rows ('st:'), bodies ('si:'), terms ('sh:'), needs ('su:') and who needs each
-- ('sn:') per operation and group, and a set of both.
local function staged_key(what, name) return P .. what .. U .. ':' .. name end

local function delete_staged()
  local set = P .. 'sg:' .. U
  for _, name in ipairs(call('SMEMBERS', set)) do
    for _, what in ipairs({ 'st:', 'si:', 'sh:', 'su:', 'sn:' }) do unlink[#unlink + 1] = staged_key(what, name) end
  end
  unlink[#unlink + 1] = set
end
