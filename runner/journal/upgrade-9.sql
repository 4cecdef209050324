-- To version 9: tasks of jobs, apart from events and details, and leases by the number of their run. Entries written before
-- keep their tasks where they are, and their hashes.
ALTER TABLE entry ADD COLUMN tasks BLOB;
CREATE TABLE lease_by_number (
    server_id TEXT PRIMARY KEY,
    run       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO lease_by_number SELECT server_id, seq FROM lease JOIN run ON run.id = lease.run_id ORDER BY server_id;
DROP TABLE lease;
ALTER TABLE lease_by_number RENAME TO lease;
