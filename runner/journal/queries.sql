-- name: save_plan
-- Keep a plan; the same hash is the same plan.
INSERT INTO plan (plan_hash, body) VALUES (:plan_hash, :body) ON CONFLICT DO NOTHING;

-- name: load_plan
SELECT body FROM plan WHERE plan_hash = :plan_hash;

-- name: create_run
INSERT INTO run (id, campaign, plan_hash, created_at, owner_host, owner_pid, owner_start, owner_token, heartbeat_at,
                 lease_s, simulated, seq, owner_machine, renewed_clock, renewed_at, report)
VALUES (:id, :campaign, :plan_hash, :created_at, :host, :pid, :start, :token, :wall, :lease_s, :simulated,
        (SELECT coalesce(max(seq), 0) + 1 FROM run), :machine, :clock, :at, :report) ON CONFLICT DO NOTHING;

-- name: runs
-- Every run of a campaign (NULL: of all), newest first: in the order in which they were made, whatever the clock said. From
-- `id` on the columns are those of `claim`.
SELECT campaign, plan_hash, created_at, state, counts, seq, simulated, report,
       id, owner_host, owner_pid, owner_start, owner_token, owner_machine, renewals, coalesce(heartbeat_at, 0.0),
       coalesce(renewed_clock, ''), coalesce(renewed_at, 0.0), seen, lease_s,
       coalesce((SELECT max(entry.seq) FROM entry WHERE run_id = run.id), 0)
FROM run WHERE :campaign IS NULL OR campaign = :campaign ORDER BY seq DESC;

-- name: run
SELECT campaign, plan_hash, created_at, state, counts, seq, simulated, report,
       id, owner_host, owner_pid, owner_start, owner_token, owner_machine, renewals, coalesce(heartbeat_at, 0.0),
       coalesce(renewed_clock, ''), coalesce(renewed_at, 0.0), seen, lease_s,
       coalesce((SELECT max(entry.seq) FROM entry WHERE run_id = run.id), 0)
FROM run WHERE id = :id;

-- name: newest_run
SELECT id FROM run ORDER BY seq DESC LIMIT 1;

-- name: run_ids
-- Those that start so, newest first; `beyond` sorts after all of them.
SELECT id FROM run WHERE id >= :text AND id < :beyond ORDER BY seq DESC;

-- name: claim
-- What tells of a run's ownership. The last entry is a sign of life, too.
SELECT id, owner_host, owner_pid, owner_start, owner_token, owner_machine, renewals, coalesce(heartbeat_at, 0.0),
       coalesce(renewed_clock, ''), coalesce(renewed_at, 0.0), seen, lease_s,
       coalesce((SELECT max(entry.seq) FROM entry WHERE run_id = run.id), 0)
FROM run WHERE id = :id;

-- name: plan_hash_of
SELECT plan_hash FROM run WHERE id = :id;

-- name: take_run
-- Become the owner. In one transaction with the look at who was it.
UPDATE run SET owner_host = :host, owner_pid = :pid, owner_start = :start, owner_token = :token, owner_machine = :machine,
               renewals = renewals + 1, heartbeat_at = :wall, renewed_clock = :clock, renewed_at = :at, seen = NULL
WHERE id = :id;

-- name: release_run
-- Let a run go, if it is still ours. That counts as its last sign of life.
UPDATE run SET owner_host = NULL, owner_pid = NULL, owner_start = NULL, owner_token = NULL, owner_machine = NULL,
               renewals = renewals + 1, heartbeat_at = :wall, renewed_clock = :clock, renewed_at = :at, seen = NULL
WHERE id = :id AND owner_token = :token;

-- name: fence_run
-- Whoever still has the run open cannot append any more.
UPDATE run SET owner_host = NULL, owner_pid = NULL, owner_start = NULL, owner_token = NULL, owner_machine = NULL
WHERE id = :id;

-- name: renew
-- Say that we still own the run; nothing changes if we do not.
UPDATE run SET renewals = renewals + 1, heartbeat_at = :wall, renewed_clock = :clock, renewed_at = :at, seen = NULL
WHERE id = :id AND owner_token = :token;

-- name: is_ours
SELECT 1 FROM run WHERE id = :id AND owner_token = :token;

-- name: note_seen
UPDATE run SET seen = :seen WHERE id = :id;

-- name: begin_again
-- A run that goes on has not ended.
UPDATE run SET state = NULL, counts = NULL WHERE id = :id AND owner_token = :token;

-- name: finish_run
UPDATE run SET state = :state, counts = :counts WHERE id = :id;

-- name: keep_report
UPDATE run SET report = :report WHERE id = :id;

-- name: last_entry
SELECT seq, hash FROM entry WHERE run_id = :id ORDER BY seq DESC LIMIT 1;

-- name: last_events
SELECT events FROM entry WHERE run_id = :id ORDER BY seq DESC LIMIT 1;

-- name: append
-- Append a group of events: only if the run is still ours, and the last entry is the last one that we know. Else nothing.
INSERT INTO entry (run_id, seq, events, hash, details, tasks)
SELECT :id, :seq, :events, :hash, :details, :tasks
WHERE EXISTS (SELECT 1 FROM run WHERE run.id = :id AND run.owner_token = :token)
  AND coalesce((SELECT seq = :seq - 1 AND hash = :before FROM entry WHERE run_id = :id ORDER BY seq DESC LIMIT 1), :seq = 1);

-- name: read_entries
-- A piece of a run's entries, after a place in it.
SELECT seq, events, details, tasks, hash FROM entry WHERE run_id = :id AND seq > :after ORDER BY seq LIMIT :most;

-- name: read_lean_entries
-- The same, less what is most of their bytes: SQLite does not read the pages that hold only columns not asked for. Whoever
-- reads must stop where the next run begins: told where to end, SQLite reads each row whole to compare it with that.
SELECT run_id, seq, events FROM entry WHERE (run_id, seq) > (:id, :after) ORDER BY run_id, seq LIMIT :most;

-- name: lease_holders
-- The other runs that hold some of these servers, with those.
SELECT run.id, group_concat(held.server_id, ' ')
FROM json_each(:servers) AS wanted JOIN leased_server AS held ON held.server_id = wanted.value JOIN run ON run.seq = held.run
WHERE run.id <> :id GROUP BY run.id;

-- name: lease
-- In the order of the index: a million in any other takes nine times as long, and nobody else can write meanwhile.
INSERT INTO leased_server (server_id, run)
SELECT value, (SELECT seq FROM run WHERE id = :id) FROM json_each(:servers) WHERE true ORDER BY value
ON CONFLICT (server_id) DO UPDATE SET run = excluded.run;

-- name: take_free
-- Lease those servers to a run that nobody holds.
INSERT OR IGNORE INTO leased_server (server_id, run)
SELECT value, (SELECT seq FROM run WHERE id = :id) FROM json_each(:servers);

-- name: release_leases
-- Give servers free, all but those to keep.
DELETE FROM leased_server
WHERE run = (SELECT seq FROM run WHERE id = :id) AND server_id NOT IN (SELECT value FROM json_each(:keep));

-- name: release_all_of
-- Give all servers of several runs free.
DELETE FROM leased_server WHERE run IN (SELECT seq FROM run WHERE id IN (SELECT value FROM json_each(:runs)));

-- name: give_free
DELETE FROM leased_server
WHERE run = (SELECT seq FROM run WHERE id = :id) AND server_id IN (SELECT value FROM json_each(:servers));

-- name: leases
SELECT run.id, held.servers
FROM (SELECT run, count(*) AS servers FROM leased_server GROUP BY run) AS held JOIN run ON run.seq = held.run ORDER BY run.id;

-- name: claim_slot
INSERT INTO slot (once_key, run_id) VALUES (:once_key, :id);

-- name: find_slot
-- The run that has a slot, or had it when it was pruned.
SELECT run_id FROM slot WHERE once_key = :once_key UNION ALL SELECT run_id FROM pruned_slot WHERE once_key = :once_key;

-- name: post_command
INSERT INTO command (run_id, at, who, why, body) VALUES (:id, :at, :who, :why, :body) RETURNING id;

-- name: read_commands
SELECT id, at, who, why, body FROM command WHERE run_id = :id AND id > :after ORDER BY id;

-- name: salt
SELECT value FROM salt;

-- name: refused_calls
SELECT calls FROM refused_calls WHERE credential = :credential;

-- name: note_refused_calls
INSERT INTO refused_calls (credential, calls) VALUES (:credential, :calls)
ON CONFLICT (credential) DO UPDATE SET calls = excluded.calls;

-- name: forget_refused_calls
DELETE FROM refused_calls WHERE credential = :credential;

-- The past of runs: see history.py.

-- name: index_plan
-- What plan a run may have in common with others, without reading it; `saved_at` is the last time that it was saved.
INSERT INTO plan_index (plan_hash, saved_at, digests) VALUES (:plan_hash, :saved_at, :digests)
ON CONFLICT (plan_hash) DO UPDATE SET saved_at = excluded.saved_at, digests = coalesce(excluded.digests, digests);

-- name: add_parents
INSERT INTO parent (run_id, parent_id) SELECT DISTINCT :id, value FROM json_each(:parents);

-- name: parents
SELECT parent_id FROM parent WHERE run_id = :id ORDER BY parent_id;

-- name: family
-- A parent that is not there any more, or never was, still holds its children together.
WITH RECURSIVE family (id) AS (
    SELECT :id
    UNION SELECT parent.parent_id FROM family JOIN parent ON parent.run_id = family.id
    UNION SELECT parent.run_id FROM family JOIN parent ON parent.parent_id = family.id
)
SELECT run.id FROM family JOIN run ON run.id = family.id ORDER BY run.seq;

-- name: later_runs
-- Of a campaign (NULL: of all). The last column is whether a server may have been touched: by kinds of events, as codec.py
-- writes them.
SELECT run.id, run.seq, run.plan_hash, plan_index.digests,
       EXISTS (SELECT 1 FROM entry WHERE run_id = run.id
               AND (instr(events, '"kind":"intended"') OR instr(events, '"kind":"suspected"')))
FROM run LEFT JOIN plan_index USING (plan_hash)
WHERE (:campaign IS NULL OR run.campaign = :campaign) AND run.seq > :after AND run.simulated = :simulated ORDER BY run.seq DESC;

-- name: pruned_slot
SELECT run_id, campaign, state FROM pruned_slot WHERE once_key = :once_key;

-- name: slot_keepers
SELECT run_id FROM (SELECT run.id AS run_id, max(run.seq) FROM slot JOIN run ON run.id = slot.run_id GROUP BY run.campaign);

-- name: keep_slots
INSERT INTO pruned_slot (once_key, run_id, campaign, state)
SELECT slot.once_key, slot.run_id, run.campaign, :state FROM slot JOIN run ON run.id = slot.run_id WHERE slot.run_id = :id;

-- name: delete_run
-- Parts first: each names the run.
DELETE FROM slot WHERE run_id = :id;
DELETE FROM command WHERE run_id = :id;
DELETE FROM parent WHERE run_id = :id;
DELETE FROM entry WHERE run_id = :id;
DELETE FROM run WHERE id = :id;

-- name: plans_without_run
SELECT plan_hash FROM plan LEFT JOIN plan_index USING (plan_hash)
WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.plan_hash = plan.plan_hash) AND coalesce(saved_at, 0.0) < :before;

-- name: delete_plan
DELETE FROM plan_index WHERE plan_hash = :plan_hash AND NOT EXISTS (SELECT 1 FROM run WHERE run.plan_hash = :plan_hash);
DELETE FROM plan WHERE plan_hash = :plan_hash AND NOT EXISTS (SELECT 1 FROM run WHERE run.plan_hash = :plan_hash);

-- name: learned_limit
SELECT learned FROM learned_limit WHERE lane = :lane AND kind = :kind;

-- name: keep_limit
INSERT INTO learned_limit (lane, kind, learned) VALUES (:lane, :kind, :learned)
ON CONFLICT (lane, kind) DO UPDATE SET learned = excluded.learned;

-- name: forget_limit
DELETE FROM learned_limit WHERE lane = :lane AND kind = :kind;
