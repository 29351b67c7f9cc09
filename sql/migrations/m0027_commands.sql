-- A command that fetches, like "backfill", has a row among the workers, since it may hold leases. It is none: it takes no job of the queue.
ALTER TABLE workers ADD COLUMN command text;
COMMENT ON COLUMN workers.command IS 'The command that it is, like backfill, which takes no jobs; NULL: a worker.';

CREATE OR REPLACE VIEW workers_alive AS
SELECT w.boot_id, w.host, w.pid, w.version, w.started_at, w.last_seen_at, w.heartbeat, w.heartbeat_at
FROM workers AS w
WHERE w.command IS NULL AND CASE
      -- A standby knows of no locks.
      WHEN pg_is_in_recovery() THEN coalesce(w.heartbeat_at, w.last_seen_at) > now() - interval '2 minutes'
      WHEN w._holds_lock
      THEN EXISTS (SELECT FROM pg_locks AS l
                   WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
                     AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                     AND (l.classid::bigint << 32) | l.objid::bigint = w.boot_id)
           -- After an outage all have to come back first.
           OR w.last_seen_at > now() - interval '5 seconds'
      ELSE w.last_seen_at > now() - interval '2 minutes' END;
