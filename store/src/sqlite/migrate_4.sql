-- From layout 3 to 4: who needs what of threads.
CREATE TABLE held (tenant TEXT, thread TEXT, holder TEXT, seq INTEGER NOT NULL, PRIMARY KEY (tenant, thread, holder))
    WITHOUT ROWID;
