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

-- Commits, in order: each is a JSON list of the events that became durable together, {"kind", "data"} each.
-- One row a commit and not one an event, because that takes a third of the time. Single events are still at hand:
--   SELECT e.value ->> 'kind', e.value -> 'data' FROM entry, json_each(entry.events) AS e WHERE run_id = ...
CREATE TABLE entry (
    run_id TEXT    NOT NULL REFERENCES run (id),
    seq    INTEGER NOT NULL,
    events TEXT    NOT NULL,
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;
