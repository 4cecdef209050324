-- From version 2 to 3: slots of a schedule, and commands of operators.
CREATE TABLE slot (
    once_key TEXT PRIMARY KEY,
    run_id   TEXT NOT NULL REFERENCES run (id)
) STRICT, WITHOUT ROWID;
CREATE TABLE command (
    id     INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES run (id),
    at     REAL NOT NULL,
    who    TEXT NOT NULL,
    why    TEXT NOT NULL,
    body   TEXT NOT NULL
) STRICT;
CREATE INDEX command_by_run ON command (run_id, id);
