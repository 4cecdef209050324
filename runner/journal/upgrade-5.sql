-- To version 5.

-- The past of runs (history.py). `upgrading.py` fills in what old plans tell.
ALTER TABLE run ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN simulated INTEGER;
UPDATE run SET seq = rowid;
UPDATE run SET simulated = (
    SELECT events -> 0 -> 'data' ->> 'simulated' FROM entry WHERE run_id = run.id AND seq = 1 AND json_valid(events)
);
-- Versions before noted an end that the journal does not have when a second signal ended the process at once.
UPDATE run SET state = NULL, counts = NULL WHERE NOT EXISTS (
    SELECT 1 FROM entry WHERE run_id = run.id AND seq = (SELECT max(seq) FROM entry WHERE run_id = run.id)
    AND instr(events, '"kind":"run_ended"')
);
CREATE UNIQUE INDEX run_by_seq ON run (seq);
CREATE INDEX run_by_campaign ON run (campaign, seq);
CREATE INDEX run_by_plan ON run (plan_hash);
CREATE INDEX slot_by_run ON slot (run_id);
CREATE TABLE parent (
    run_id    TEXT NOT NULL REFERENCES run (id),
    parent_id TEXT NOT NULL,
    PRIMARY KEY (run_id, parent_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX parent_by_parent ON parent (parent_id, run_id);
CREATE TABLE plan_index (
    plan_hash TEXT PRIMARY KEY REFERENCES plan (plan_hash),
    saved_at  REAL,
    digests   BLOB
) STRICT;
CREATE TABLE pruned_slot (
    once_key TEXT PRIMARY KEY,
    run_id   TEXT NOT NULL,
    campaign TEXT NOT NULL,
    state    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Ownership: how its renewal is told, without a clock that can be set.
ALTER TABLE run ADD COLUMN owner_machine TEXT;
ALTER TABLE run ADD COLUMN renewals INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN renewed_clock TEXT;
ALTER TABLE run ADD COLUMN renewed_at REAL;
ALTER TABLE run ADD COLUMN seen TEXT;
