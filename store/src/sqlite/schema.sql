-- The records of PROTOCOL section 3 as tables. Rows that no query looks into are JSON.
-- `info` parts never change after they were written; `state` parts are the small ones.
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE thread (tenant TEXT, thread TEXT, row TEXT NOT NULL, PRIMARY KEY (tenant, thread)) WITHOUT ROWID;
CREATE TABLE checkpoint (tenant TEXT, thread TEXT, seq INTEGER, row TEXT NOT NULL, PRIMARY KEY (tenant, thread, seq));
CREATE TABLE segment (tenant TEXT, thread TEXT, channel TEXT, number INTEGER, body TEXT NOT NULL,
    PRIMARY KEY (tenant, thread, channel, number));
CREATE TABLE run (run TEXT PRIMARY KEY, info TEXT NOT NULL, state TEXT, ending TEXT) WITHOUT ROWID;
CREATE TABLE listed (tenant TEXT, at INTEGER, run TEXT, PRIMARY KEY (tenant, at, run)) WITHOUT ROWID;
CREATE TABLE grp (run TEXT, grp TEXT, info TEXT NOT NULL, state TEXT, PRIMARY KEY (run, grp)) WITHOUT ROWID;
CREATE TABLE task (run TEXT, grp TEXT, idx INTEGER, row TEXT NOT NULL, PRIMARY KEY (run, grp, idx)) WITHOUT ROWID;
CREATE TABLE input (run TEXT, grp TEXT, idx INTEGER, body TEXT NOT NULL, PRIMARY KEY (run, grp, idx));
CREATE TABLE result (run TEXT, grp TEXT, idx INTEGER, body TEXT NOT NULL, PRIMARY KEY (run, grp, idx));
CREATE TABLE staged (run TEXT, op TEXT, grp TEXT, idx INTEGER, row TEXT NOT NULL, PRIMARY KEY (run, op, grp, idx));
CREATE TABLE interrupt (run TEXT, grp TEXT, idx INTEGER, row TEXT NOT NULL, PRIMARY KEY (run, grp, idx)) WITHOUT ROWID;
CREATE TABLE inbox (tenant TEXT, interrupt TEXT, at INTEGER, job TEXT NOT NULL, PRIMARY KEY (tenant, interrupt)) WITHOUT ROWID;
CREATE TABLE parked (run TEXT PRIMARY KEY, at INTEGER, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE due (part INTEGER, member TEXT, at INTEGER NOT NULL, PRIMARY KEY (part, member)) WITHOUT ROWID;
CREATE INDEX due_at ON due (part, at, member);
CREATE TABLE event (run TEXT, seq INTEGER, row TEXT NOT NULL, PRIMARY KEY (run, seq));
CREATE TABLE audit (part INTEGER, number INTEGER, row TEXT NOT NULL, PRIMARY KEY (part, number));
CREATE TABLE graph (tenant TEXT, hash TEXT, name TEXT NOT NULL, source TEXT NOT NULL, applied_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, hash));
CREATE TABLE graph_name (tenant TEXT, name TEXT, hash TEXT NOT NULL, PRIMARY KEY (tenant, name)) WITHOUT ROWID;
CREATE TABLE api_key (id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, row TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE worker (id TEXT PRIMARY KEY, body TEXT NOT NULL, seen_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE beside (run TEXT, grp TEXT, idx INTEGER, what TEXT, body TEXT NOT NULL,
    PRIMARY KEY (run, grp, what, idx)) WITHOUT ROWID;
CREATE TABLE signal (tenant TEXT, thread TEXT, number INTEGER, id TEXT NOT NULL, row TEXT NOT NULL,
    PRIMARY KEY (tenant, thread, number));
CREATE UNIQUE INDEX signal_id ON signal (tenant, thread, id);
CREATE TABLE key (part INTEGER, tenant TEXT, tool TEXT, cache INTEGER, name TEXT, until INTEGER NOT NULL,
    row TEXT NOT NULL, PRIMARY KEY (part, tenant, tool, cache, name));
CREATE INDEX key_until ON key (part, until);
CREATE TABLE schedule (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL, row TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX schedule_tenant ON schedule (tenant, name);
CREATE TABLE held (tenant TEXT, thread TEXT, holder TEXT, seq INTEGER NOT NULL, PRIMARY KEY (tenant, thread, holder))
    WITHOUT ROWID;
