-- name: save_plan
-- Keep a plan; the same hash is the same plan.
INSERT INTO plan (plan_hash, body) VALUES (:plan_hash, :body) ON CONFLICT DO NOTHING;

-- name: load_plan
SELECT body FROM plan WHERE plan_hash = :plan_hash;

-- name: create_run
INSERT INTO run (id, campaign, plan_hash, created_at, owner_host, owner_pid, owner_start, owner_token, heartbeat_at)
VALUES (:id, :campaign, :plan_hash, :created_at, :host, :pid, :start, :token, :now) ON CONFLICT DO NOTHING;

-- name: runs
-- Every run, newest first.
SELECT id, campaign, plan_hash, created_at, state, counts, owner_host, owner_pid, owner_start, owner_token, heartbeat_at
FROM run ORDER BY created_at DESC, id DESC;

-- name: run
SELECT id, campaign, plan_hash, created_at, state, counts, owner_host, owner_pid, owner_start, owner_token, heartbeat_at
FROM run WHERE id = :id;

-- name: take_run
-- Become the owner, if the owner is still the one that was looked at (token IS also compares NULL).
UPDATE run SET owner_host = :host, owner_pid = :pid, owner_start = :start, owner_token = :token, heartbeat_at = :now,
               state = NULL, counts = NULL
WHERE id = :id AND owner_token IS :seen;

-- name: release_run
UPDATE run SET owner_host = NULL, owner_pid = NULL, owner_start = NULL, owner_token = NULL, heartbeat_at = NULL
WHERE id = :id AND owner_token = :token;

-- name: heartbeat
UPDATE run SET heartbeat_at = :now WHERE id = :id AND owner_token = :token;

-- name: finish_run
UPDATE run SET state = :state, counts = :counts WHERE id = :id;

-- name: next_seq
SELECT coalesce(max(seq), 0) + 1 FROM entry WHERE run_id = :id;

-- name: append
-- Append a group of events, or nothing if the run is no longer ours: the fence.
INSERT INTO entry (run_id, seq, events)
SELECT :id, :seq, :events WHERE EXISTS (SELECT 1 FROM run WHERE run.id = :id AND run.owner_token = :token);

-- name: read_entries
-- A piece of a run's entries, after a place in it.
SELECT seq, events FROM entry WHERE run_id = :id AND seq > :after ORDER BY seq LIMIT :most;
