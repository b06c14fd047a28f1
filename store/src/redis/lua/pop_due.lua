-- POP_DUE: takes due entries, moving each on so that others do not take them meanwhile.
local limit, hide_ms = unrow(ARGV[1])
local DK = P .. 'd'

-- Whether a run that is ready has something to fold, start or end.
local function has_work(s)
  if s.status == CANCELLING then return true end
  if not live(s) then return false end
  if s.closed > 0 or s.superstep == 0 or s.resumed or s.undoing and not has_groups(s) then return true end
  local deadline = fixed().deadline
  return deadline and deadline <= now
end

local taken = {}
for _, member in ipairs(call('ZRANGEBYSCORE', DK, '-inf', now, 'LIMIT', 0, limit)) do
  local attempts = 0
  local kind = string.sub(member, 1, 2)
  if kind == 'r|' or kind == 's|' then
    enter(string.sub(member, 3))
    local text = get('s')
    local s = text and read_state(text)
    if kind == 's|' then
      attempts = s and s.awaiting > 0 and 0
    elseif s and has_work(s) then
      s.attempts = s.attempts + 1
      attempts = s.attempts
      R.s = state_row(s)
    else
      attempts = false
    end
  end
  if attempts then
    due[member] = now + hide_ms
    taken[#taken + 1] = { member, attempts }
  else
    due[member] = false
  end
end
flush()
local first = call('ZRANGE', DK, 0, 0, 'WITHSCORES')
return pack(now, first[2] and tonumber(first[2]) or false, taken)
