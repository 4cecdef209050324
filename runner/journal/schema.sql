-- The journal's tables, version 2.

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
    heartbeat_at  REAL,
    lease_s       REAL NOT NULL DEFAULT 0  -- for how long after its last heartbeat a run keeps its leases
) STRICT;

-- Commits, in order: each is a JSON list of the events that became durable together, {"kind", "data"} each.
-- One row a commit and not one an event, because that takes a third of the time. Single events are still at hand:
--   SELECT e.value ->> 'kind', e.value -> 'data' FROM entry, json_each(entry.events) AS e WHERE run_id = ...
CREATE TABLE entry (
    run_id TEXT    NOT NULL REFERENCES run (id),
    seq    INTEGER NOT NULL,
    events TEXT    NOT NULL,
    hash   TEXT    NOT NULL,  -- over the hash before, the seq and the events: see chain.py
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;

-- Which run a server is leased to: no two runs touch one server at a time.
CREATE TABLE lease (
    server_id TEXT PRIMARY KEY,
    run_id    TEXT NOT NULL REFERENCES run (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX lease_by_run ON lease (run_id);
