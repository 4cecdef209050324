-- name: save_plan
-- Keep a plan; the same hash is the same plan.
INSERT INTO plan (plan_hash, body) VALUES (:plan_hash, :body) ON CONFLICT DO NOTHING;

-- name: load_plan
SELECT body FROM plan WHERE plan_hash = :plan_hash;

-- name: create_run
INSERT INTO run (id, campaign, plan_hash, created_at, owner_host, owner_pid, owner_start, owner_token, heartbeat_at,
                 lease_s)
VALUES (:id, :campaign, :plan_hash, :created_at, :host, :pid, :start, :token, :now, :lease_s) ON CONFLICT DO NOTHING;

-- name: runs
-- Every run, newest first.
SELECT id, campaign, plan_hash, created_at, state, counts, owner_host, owner_pid, owner_start, owner_token, heartbeat_at, lease_s
FROM run ORDER BY created_at DESC, id DESC;

-- name: run
SELECT id, campaign, plan_hash, created_at, state, counts, owner_host, owner_pid, owner_start, owner_token, heartbeat_at, lease_s
FROM run WHERE id = :id;

-- name: take_run
-- Become the owner, if the owner is still the one that was looked at (token IS also compares NULL).
UPDATE run SET owner_host = :host, owner_pid = :pid, owner_start = :start, owner_token = :token, heartbeat_at = :now,
               state = NULL, counts = NULL
WHERE id = :id AND owner_token IS :seen;

-- name: release_run
UPDATE run SET owner_host = NULL, owner_pid = NULL, owner_start = NULL, owner_token = NULL, heartbeat_at = :now
WHERE id = :id AND owner_token = :token;

-- name: fence_run
-- Whoever still has the run open cannot append any more.
UPDATE run SET owner_host = NULL, owner_pid = NULL, owner_start = NULL, owner_token = NULL WHERE id = :id;

-- name: heartbeat
UPDATE run SET heartbeat_at = :now WHERE id = :id AND owner_token = :token;

-- name: finish_run
UPDATE run SET state = :state, counts = :counts WHERE id = :id;

-- name: last_entry
SELECT seq, hash FROM entry WHERE run_id = :id ORDER BY seq DESC LIMIT 1;

-- name: append
-- Append a group of events, or nothing if the run is no longer ours: the fence.
INSERT INTO entry (run_id, seq, events, hash, details)
SELECT :id, :seq, :events, :hash, :details WHERE EXISTS (SELECT 1 FROM run WHERE run.id = :id AND run.owner_token = :token);

-- name: read_entries
-- A piece of a run's entries, after a place in it.
SELECT seq, events, details, hash FROM entry WHERE run_id = :id AND seq > :after ORDER BY seq LIMIT :most;

-- name: read_entries_without_details
-- The same, less what is most of their bytes: SQLite does not read the pages that hold only columns not asked for. Whoever
-- reads must stop where the next run begins: told where to end, SQLite reads each row whole to compare it with that.
SELECT run_id, seq, events FROM entry WHERE (run_id, seq) > (:id, :after) ORDER BY run_id, seq LIMIT :most;

-- name: lease_holders
-- The other runs that hold some of these servers, with some of those and how many.
SELECT lease.run_id, group_concat(lease.server_id, ' '), count(*)
FROM json_each(:servers) AS wanted JOIN lease ON lease.server_id = wanted.value
WHERE lease.run_id <> :id GROUP BY lease.run_id;

-- name: lease
INSERT INTO lease (server_id, run_id) SELECT value, :id FROM json_each(:servers) WHERE true
ON CONFLICT (server_id) DO UPDATE SET run_id = excluded.run_id;

-- name: release_leases
-- Give servers free, all but those to keep.
DELETE FROM lease WHERE run_id = :id AND server_id NOT IN (SELECT value FROM json_each(:keep));

-- name: leases
SELECT run_id, count(*), min(server_id) FROM lease GROUP BY run_id ORDER BY run_id;

-- name: claim_slot
INSERT INTO slot (once_key, run_id) VALUES (:once_key, :id);

-- name: find_slot
SELECT run_id FROM slot WHERE once_key = :once_key;

-- name: post_command
INSERT INTO command (run_id, at, who, why, body) VALUES (:id, :at, :who, :why, :body) RETURNING id;

-- name: read_commands
SELECT id, at, who, why, body FROM command WHERE run_id = :id AND id > :after ORDER BY id;
