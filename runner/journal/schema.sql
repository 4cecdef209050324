-- The journal's tables, version 1.

-- Plans, by their hash: the JSON that `runner.plan.codec` writes, compressed.
CREATE TABLE plan (
    plan_hash TEXT PRIMARY KEY,
    body      BLOB NOT NULL
) STRICT;

-- Runs. The owner columns say which process has the run open; `state` and `counts` are what it said at its end.
CREATE TABLE run (
    id            TEXT PRIMARY KEY,
    campaign      TEXT NOT NULL,
    plan_hash     TEXT NOT NULL REFERENCES plan (plan_hash),
    created_at    REAL NOT NULL,
    state         TEXT,
    counts        TEXT,
    owner_host    TEXT,
    owner_pid     INTEGER,
    owner_start   INTEGER,
    owner_token   TEXT,
    heartbeat_at  REAL
) STRICT;

-- Events, in order. `data` is JSON; `kind` names its type.
CREATE TABLE event (
    run_id TEXT    NOT NULL REFERENCES run (id),
    seq    INTEGER NOT NULL,
    kind   TEXT    NOT NULL,
    data   TEXT    NOT NULL,
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;
