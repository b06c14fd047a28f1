-- SETBACK: tells the audit log of a run that went back with the servers.
local actor, operation, subject, before, after, verdict, uuid, of = unrow(ARGV[1])
audit(actor, operation, subject, before, after, verdict, uuid, of)
flush()
return pack(true)
