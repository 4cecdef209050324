-- From version 1 to 2: leases, and a hash for every entry (which `sqlite.py` fills in).
ALTER TABLE run ADD COLUMN lease_s REAL NOT NULL DEFAULT 0;
ALTER TABLE entry ADD COLUMN hash TEXT NOT NULL DEFAULT '';
CREATE TABLE lease (
    server_id TEXT PRIMARY KEY,
    run_id    TEXT NOT NULL REFERENCES run (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX lease_by_run ON lease (run_id);
