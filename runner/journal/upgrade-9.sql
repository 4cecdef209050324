-- To version 9: tasks of jobs, apart from events and details, and leases by the number of their run. Entries written before
-- keep their tasks where they are, and their hashes.
ALTER TABLE entry ADD COLUMN tasks BLOB;
CREATE TABLE leased_server (
    server_id TEXT PRIMARY KEY,
    run       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO leased_server SELECT server_id, seq FROM lease JOIN run ON run.id = lease.run_id ORDER BY server_id;
DROP TABLE lease;
CREATE VIEW lease AS
SELECT leased_server.server_id, run.id AS run_id FROM leased_server JOIN run ON run.seq = leased_server.run;
CREATE TRIGGER give_lease_free INSTEAD OF DELETE ON lease BEGIN
    DELETE FROM leased_server WHERE server_id = OLD.server_id;
END;
CREATE TRIGGER take_lease INSTEAD OF INSERT ON lease BEGIN
    INSERT OR IGNORE INTO leased_server (server_id, run) SELECT NEW.server_id, seq FROM run WHERE id = NEW.run_id;
END;
