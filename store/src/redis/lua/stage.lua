-- STAGE: brings tasks of a wide group in, under the operation of the advance that opens it.
local uuid, op, name, rows, bodies, terms, missing = unrow(ARGV[1])
enter(uuid)
local text = get('s')
local s = text and read_state(text)
if not s or terminal(s) or s.op == op then return pack(false) end

-- Writes a list of names and values, and removes what an earlier staging had beyond it.
local function replace(what, list)
  local key, kept, gone = staged_key(what, name), {}, {}
  if call('EXISTS', key) == 1 then
    for at = 1, #list, 2 do kept[list[at]] = true end
    for at = 1, #rows, 2 do
      if not kept[rows[at]] then gone[#gone + 1] = rows[at] end
    end
    if #gone > 0 then send('HDEL', key, gone) end
  end
  if #list > 0 then send('HSET', key, list) end
end

-- Notes at each index who needs it, by what the indexes of a chunk need and needed.
local function note_needs()
  local fresh, by, more, key = {}, {}, {}, staged_key('sn:', name)
  for at = 1, #missing, 2 do fresh[missing[at]] = missing[at + 1] end
  local function each(row, change)
    local _, needs = unrow(row)
    local done = {}
    for _, need in ipairs(needs) do
      if not done[need] then
        by[need] = by[need] or call('HGET', key, need) or ''
        change(need)
      end
      done[need] = true
    end
  end
  for at = 1, #rows, 2 do
    local index = rows[at]
    local old, new, four = call('HGET', staged_key('su:', name), index), fresh[index] or false, struct.pack('<I4', index)
    if old and old ~= new then
      each(old, function(need)
        local text = by[need]
        for place = 1, #text, 4 do
          if string.sub(text, place, place + 3) == four then
            by[need] = string.sub(text, 1, place - 1) .. string.sub(text, place + 4)
            return
          end
        end
      end)
    end
    if new and old ~= new then
      each(new, function(need)
        more[need] = more[need] or {}
        table.insert(more[need], four)
      end)
    end
  end
  for need, list in pairs(more) do by[need] = by[need] .. table.concat(list) end
  local list = {}
  for need, text in pairs(by) do
    list[#list + 1] = need
    list[#list + 1] = text
  end
  if #list > 0 then send('HSET', key, list) end
end

if #rows > 0 then
  call('SADD', P .. 'sg:' .. U, name)
  if #missing > 0 or call('EXISTS', staged_key('su:', name)) == 1 then note_needs() end
  replace('su:', missing)
  replace('sh:', terms)
  send('HSET', staged_key('st:', name), rows)
  send('HSET', staged_key('si:', name), bodies)
end
return pack(true)
