-- From layout 1 to 2: what waits, signals, keys and continued jobs need; the claimed tasks of
-- a group are counted.
CREATE TABLE beside (run TEXT, grp TEXT, idx INTEGER, what TEXT, body TEXT NOT NULL,
    PRIMARY KEY (run, grp, what, idx)) WITHOUT ROWID;
CREATE TABLE signal (tenant TEXT, thread TEXT, number INTEGER, id TEXT NOT NULL, row TEXT NOT NULL,
    PRIMARY KEY (tenant, thread, number));
CREATE UNIQUE INDEX signal_id ON signal (tenant, thread, id);
CREATE TABLE key (part INTEGER, tenant TEXT, tool TEXT, cache INTEGER, name TEXT, until INTEGER NOT NULL,
    row TEXT NOT NULL, PRIMARY KEY (part, tenant, tool, cache, name));
CREATE INDEX key_until ON key (part, until);
UPDATE grp SET state = json_set(state, '$.at_work', (
    SELECT count(*) FROM task WHERE task.run = grp.run AND task.grp = grp.grp
        AND json_type(task.row, '$.state.claimed') IS NOT NULL)) WHERE state IS NOT NULL;
