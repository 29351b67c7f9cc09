-- A command that fetches, like "backfill", has a row among the workers, since it may hold leases. It is none: it takes no job of the queue.
ALTER TABLE workers ADD COLUMN command text;
COMMENT ON COLUMN workers.command IS 'The command that it is, like backfill, which takes no jobs; NULL: a worker.';

-- One of this host that is gone holds no lock any more; of one behind a pooler only its last sign of life is known.
CREATE FUNCTION process_runs(w workers) RETURNS boolean LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT CASE
        -- A standby knows of no locks.
        WHEN pg_is_in_recovery() THEN coalesce(w.heartbeat_at, w.last_seen_at) > now() - interval '2 minutes'
        WHEN w._holds_lock
        THEN EXISTS (SELECT FROM pg_locks AS l
                     WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
                       AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                       AND (l.classid::bigint << 32) | l.objid::bigint = w.boot_id)
             -- After an outage all have to come back first.
             OR w.last_seen_at > now() - interval '5 seconds'
        ELSE w.last_seen_at > now() - interval '2 minutes' END
$$;
COMMENT ON FUNCTION process_runs IS 'Internal: whether a worker, or a command, still runs.';

CREATE OR REPLACE VIEW workers_alive AS
SELECT w.boot_id, w.host, w.pid, w.version, w.started_at, w.last_seen_at, w.heartbeat, w.heartbeat_at
FROM workers AS w WHERE w.command IS NULL AND process_runs(w);

CREATE OR REPLACE VIEW queue_health AS
SELECT q.due, q.oldest_due_s, q.background_due, q.waiting, q.leased,
       (SELECT count(*) FROM dead_letters) AS dead_letters,
       (SELECT count(*) FROM workers AS w WHERE w.command IS NULL AND w.last_seen_at > now() - interval '2 minutes') AS workers,
       (SELECT c.paused FROM control AS c) AS paused
FROM (
    SELECT count(*) FILTER (WHERE leased_by IS NULL AND available_at <= now() AND coalesce(priority, 0) >= 0) AS due,
           coalesce(extract(epoch FROM now() - min(CASE WHEN isfinite(available_at) THEN available_at WHEN isfinite(enqueued_at) THEN enqueued_at END)
                    FILTER (WHERE leased_by IS NULL AND available_at <= now() AND coalesce(priority, 0) >= 0)), 0)::double precision AS oldest_due_s,
           count(*) FILTER (WHERE leased_by IS NULL AND available_at <= now() AND priority < 0) AS background_due,
           count(*) FILTER (WHERE leased_by IS NULL AND available_at > now()) AS waiting,
           count(*) FILTER (WHERE leased_by IS NOT NULL) AS leased
    FROM enrichment_queue
) AS q;
