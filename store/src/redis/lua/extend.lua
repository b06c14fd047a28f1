-- EXTEND: moves a run's ready entry on while it is being computed, or once somebody took it who
-- may not advance it: that was no attempt.
local uuid, ms, untried = unrow(ARGV[1])
enter(uuid)
local entry = due_run('r')
if not call('ZSCORE', P .. 'd', entry) then return pack(false) end
local text = untried and get('s')
if text then
  local s = read_state(text)
  s.attempts = math.max(s.attempts - 1, 0)
  R.s = state_row(s)
end
due[entry] = now + ms
flush()
return pack(true)
