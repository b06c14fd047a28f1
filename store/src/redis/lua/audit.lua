-- Appends an audit entry.
local function audit(actor, operation, subject, before, after, verdict)
  call('XADD', P .. 'a', 'MINID', '~', math.max(0, now - AUDIT_RETENTION_MS), '*', 'e',
    pack(now, tenant(), actor, operation, U, subject, before, after, verdict))
end
