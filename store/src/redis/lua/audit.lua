-- Appends an audit entry behind the last: its number and the link of the one before it go with
-- it, and the head keeps its own link. See audit.rs for what a link is made of.
local function audit(actor, operation, subject, before, after, verdict, uuid, of)
  local number, prior = 1, ''
  local head = call('GET', P .. 'h')
  if head then
    number, prior = unrow(head)
    number = number + 1
  end
  of, uuid = of or tenant(), uuid or U
  local text = ''
  local fields = { prior, string.format('%d', number), string.format('%d', now), of, actor, operation, uuid,
    subject, string.format('%d', before), string.format('%d', after), verdict }
  for _, field in ipairs(fields) do text = text .. #field .. ':' .. field end
  call('SET', P .. 'h', pack(number, redis.sha1hex(text)))
  call('XADD', P .. 'a', 'MINID', '~', math.max(0, now - AUDIT_RETENTION_MS), '*', 'e',
    pack(now, of, actor, operation, uuid, subject, before, after, verdict, number, prior))
end
