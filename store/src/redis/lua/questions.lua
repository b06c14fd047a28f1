-- Questions of tasks: where each stands, its id, its generation and times, and what was
-- decided.
local function read_question(place)
  local text = get('?' .. place)
  if not text then return nil end
  local state, id, gen, opened, expires, decision, actor, at = unrow(text)
  return {
    place = place, state = state, id = id, gen = gen, opened = opened, expires = expires,
    decision = decision, actor = actor, at = at,
  }
end

local function write_question(q)
  R['?' .. q.place] = pack(q.state, q.id, q.gen, q.opened, q.expires, q.decision, q.actor, q.at)
end

local function inbox_member(q) return U .. '/' .. q.gen .. '/' .. q.place end
