-- The journal's tables, version 9.

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
    heartbeat_at  REAL,                    -- when the owner last renewed or let go, epoch seconds: to show, never to decide
    lease_s       REAL NOT NULL DEFAULT 0, -- for how long after its last renewal a run keeps its leases
    -- The past (version 5, see history.py).
    seq           INTEGER NOT NULL,        -- grows from run to run, in the order in which they were made
    simulated     INTEGER,                 -- 1: a rehearsal; 0: real; NULL: it is not known, and nothing happened
    -- Ownership (version 5, see ownership.py).
    owner_machine TEXT,                    -- the boot and the pid namespace that owner_pid means something in
    renewals      INTEGER NOT NULL DEFAULT 0,
    renewed_clock TEXT,                    -- the clock that renewed_at is by
    renewed_at    REAL,                    -- when the owner last renewed or let go, seconds of a clock that nobody can set
    seen          TEXT,                    -- when a process with another clock first saw that: JSON, see claims.py
    report        TEXT                     -- the file that its report is written to (version 7); NULL: that of the state folder
) STRICT;

-- Commits, in order: each is a JSON list of the events that became durable together, {"kind", "data"} each.
-- One row a commit and not one an event, because that takes a third of the time. Single events are still at hand:
--   SELECT e.value ->> 'kind', e.value -> 'data' FROM entry, json_each(entry.events) AS e WHERE run_id = ...
-- The data of kinds that only a report needs are apart, in `details`, a JSON list in the order of these events. So are the
-- tasks of jobs (version 9, see tasks.py), each job's by itself and compressed. These are the last columns, so that a run is
-- resumed without reading them.
CREATE TABLE entry (
    run_id  TEXT    NOT NULL REFERENCES run (id),
    seq     INTEGER NOT NULL,
    events  TEXT    NOT NULL,
    hash    TEXT    NOT NULL,  -- over the hash before, the seq, the events, the details and the tasks: see chain.py
    details TEXT    NOT NULL DEFAULT '',
    tasks   BLOB,
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;

-- Which run a server is leased to, by its `seq`: no two runs touch one server at a time. Written for each server of a run
-- before it begins, so there is no index beside it: what asks for a run's servers is asked once a run, and looks at all.
CREATE TABLE leased_server (
    server_id TEXT PRIMARY KEY,
    run       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- As version 8 had it: a run that began under it, and is at work while the tables change, gives its servers free in the end.
CREATE VIEW lease AS
SELECT leased_server.server_id, run.id AS run_id FROM leased_server JOIN run ON run.seq = leased_server.run;
CREATE TRIGGER give_lease_free INSTEAD OF DELETE ON lease BEGIN
    DELETE FROM leased_server WHERE server_id = OLD.server_id;
END;
CREATE TRIGGER take_lease INSTEAD OF INSERT ON lease BEGIN
    INSERT OR IGNORE INTO leased_server (server_id, run) SELECT NEW.server_id, seq FROM run WHERE id = NEW.run_id;
END;

-- Slots of a schedule, by their key: the one run that each of them got.
CREATE TABLE slot (
    once_key TEXT PRIMARY KEY,
    run_id   TEXT NOT NULL REFERENCES run (id)
) STRICT, WITHOUT ROWID;

-- What operators told a run that goes on, in order; `body` is JSON.
CREATE TABLE command (
    id     INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES run (id),
    at     REAL NOT NULL,
    who    TEXT NOT NULL,
    why    TEXT NOT NULL,
    body   TEXT NOT NULL
) STRICT;
CREATE INDEX command_by_run ON command (run_id, id);

-- The past (version 5, see history.py).
CREATE UNIQUE INDEX run_by_seq ON run (seq);
CREATE INDEX run_by_campaign ON run (campaign, seq);
CREATE INDEX run_by_plan ON run (plan_hash);
CREATE INDEX slot_by_run ON slot (run_id);

-- Which runs a run does again in part. A parent need not be there: it may have been pruned, or be in another folder.
CREATE TABLE parent (
    run_id    TEXT NOT NULL REFERENCES run (id),
    parent_id TEXT NOT NULL,
    PRIMARY KEY (run_id, parent_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX parent_by_parent ON parent (parent_id, run_id);

-- What is asked of a plan without reading it. `digests` are four bytes for each server (`runner.plan.digests`), NULL where
-- they are not known; apart from the plan, and from the run, which is written anew with every heartbeat.
CREATE TABLE plan_index (
    plan_hash TEXT PRIMARY KEY REFERENCES plan (plan_hash),
    saved_at  REAL,
    digests   BLOB
) STRICT;

-- Slots whose runs were pruned: they stay taken.
CREATE TABLE pruned_slot (
    once_key TEXT PRIMARY KEY,
    run_id   TEXT NOT NULL,
    campaign TEXT NOT NULL,
    state    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Refused credentials (version 6, see runner.engine.refusals): by a hash keyed with the salt, what is known of their calls.
CREATE TABLE refused_calls (
    credential TEXT PRIMARY KEY,
    calls      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE salt (value BLOB NOT NULL) STRICT;
INSERT INTO salt VALUES (randomblob(16));

-- Limits of the service that lanes learned (version 8, see runner.rules.learned): of each kind of call.
CREATE TABLE learned_limit (
    lane    TEXT NOT NULL,
    kind    TEXT NOT NULL,
    learned TEXT NOT NULL,
    PRIMARY KEY (lane, kind)
) STRICT, WITHOUT ROWID;
