-- Appends an audit entry.
local function audit(actor, operation, subject, before, after, verdict, uuid, of)
  call('XADD', P .. 'a', 'MINID', '~', math.max(0, now - AUDIT_RETENTION_MS), '*', 'e',
    pack(now, of or tenant(), actor, operation, uuid or U, subject, before, after, verdict))
end
