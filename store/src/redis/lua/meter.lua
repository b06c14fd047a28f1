-- METER: what is used of a quota. Holders by their lease's end ('h'), who waits by the moment to
-- ask again ('w'), and numbers ('n'). Held to `store::meter` by `suite::meters`.
local act, holder, waiter, kind, most, a, b, lease_ms, jitter = unrow(ARGV[1])
local HELD_KEY, WAITING_KEY, NUMBERS_KEY = P .. 'h', P .. 'w', P .. 'n'
local ASK_AGAIN, ASK_EACH, ASK_AGAIN_MAX = 30000, 50, 300000
local GAP, GAP_MAX, LATE, WAITED = 100, 10000, 86400000, 60000
local KEPT = 34560000000

local numbers = call('HMGET', NUMBERS_KEY, 'reached', 'promised', 'gap', 'ended', 'most', 'spent', 'settled', 'period')
local reached, promised, gap, ended = tonumber(numbers[1] or 0), tonumber(numbers[2] or 0), tonumber(numbers[3] or 0),
  tonumber(numbers[4] or 0)
local last_most, spent, settled, period = tonumber(numbers[5] or 0), tonumber(numbers[6] or 0), tonumber(numbers[7] or 0),
  tonumber(numbers[8] or 0)

local function keep(...)
  call('HSET', NUMBERS_KEY, ...)
  call('PEXPIRE', NUMBERS_KEY, KEPT)
end

local function interval(most_, per_ms)
  return math.max(1, math.floor(per_ms * 1000 / math.max(1, most_)))
end

-- When to ask again, where there is no room.
local function refused()
  local again = math.min(ASK_AGAIN_MAX, math.max(ASK_AGAIN, call('ZCARD', WAITING_KEY) * ASK_EACH))
  local latest = now + again / 2 + math.floor(again / 2 * jitter / 65536)
  local at
  if kind == 'held' then
    local full = call('ZCARD', HELD_KEY) >= most
    if full then
      at = math.max(promised, now) + (gap == 0 and GAP or gap)
      keep('most', most, 'promised', math.min(at, now + again))
    elseif last_most ~= most then
      keep('most', most)
    end
    if not full then return nil end
  elseif kind == 'rate' then
    if most == 0 then
      at = latest
    else
      local now_us, step = now * 1000, interval(most, a)
      local next_ = math.max(reached, now_us) + step
      if next_ <= now_us + b * step then
        keep('reached', next_)
        return nil
      end
      local moment = math.max(promised, next_ - b * step)
      keep('promised', math.min(moment + step, now_us + again * 1000))
      at = math.ceil(moment / 1000)
    end
  else
    local this = now >= b and b or a
    if this > period then
      period, spent, settled = this, 0, 0
      keep('period', period, 'spent', 0, 'settled', 0)
    end
    local open = call('ZCOUNT', HELD_KEY, '(' .. now, '+inf')
    local usual = settled == 0 and 0 or math.floor(spent / settled)
    if spent + open * usual < most then return nil end
    at = now < b and math.min(latest, b) or latest
  end
  if at > now + again then at = latest end
  return at
end

if act == 'take' then
  call('ZREMRANGEBYSCORE', HELD_KEY, '-inf', kind == 'budget' and now - LATE or now)
  local held = tonumber(call('ZSCORE', HELD_KEY, holder) or 0)
  local at = nil
  if held <= now then at = refused() end
  if at then
    call('ZREMRANGEBYSCORE', WAITING_KEY, '-inf', now - WAITED)
    call('ZADD', WAITING_KEY, at, waiter)
    call('PEXPIRE', WAITING_KEY, KEPT)
    return pack('full', at)
  end
  call('ZADD', HELD_KEY, now + lease_ms, holder)
  call('PEXPIRE', HELD_KEY, KEPT)
  call('ZREM', WAITING_KEY, waiter)
  return pack('taken')
end
if act == 'look' then
  -- Here `lease_ms` is how many to name, `jitter` how many of the first not to.
  local waits = waiter and call('ZSCORE', WAITING_KEY, waiter)
  local first = lease_ms > 0 and call('ZRANGE', HELD_KEY, jitter, jitter + lease_ms - 1) or {}
  return pack('seen', call('ZCOUNT', HELD_KEY, '(' .. now, '+inf'),
    call('ZCOUNT', WAITING_KEY, '(' .. now - WAITED, '+inf'), spent, waits and tonumber(waits) or false, first)
end
if not call('ZSCORE', HELD_KEY, holder) then return pack('changed', false) end
if act == 'prolong' then
  call('ZADD', HELD_KEY, now + lease_ms, holder)
elseif act == 'undo' then
  call('ZREM', HELD_KEY, holder)
  if kind == 'rate' then keep('reached', math.max(0, reached - interval(most, a))) end
else
  local full = call('ZCARD', HELD_KEY) >= last_most
  call('ZREM', HELD_KEY, holder)
  if full and ended > 0 then
    gap = math.max(1, math.floor(((gap == 0 and GAP or gap) * 3 + math.min(math.max(0, now - ended), GAP_MAX)) / 4))
    keep('gap', gap)
  end
  -- Here `lease_ms` is what was used.
  keep('spent', spent + lease_ms, 'settled', settled + 1, 'ended', now)
end
return pack('changed', true)
