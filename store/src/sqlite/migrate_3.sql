-- From layout 2 to 3: schedules.
CREATE TABLE schedule (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL, row TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX schedule_tenant ON schedule (tenant, name);
