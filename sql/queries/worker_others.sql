-- The other workers, and whose lock nobody holds at this moment. A worker that is reconnecting looks like that for an instant, so the
-- caller looks twice. One that holds no lock, behind a pooler, is gone when its leases must have ended.
SELECT w.boot_id,
       CASE WHEN (w._holds_lock OR w.last_seen_at < clock_timestamp() - interval '11 minutes')
                 AND pg_postmaster_start_time() < clock_timestamp() - interval '5 seconds'
           THEN pg_try_advisory_xact_lock(w.boot_id) ELSE false END AS is_gone
FROM workers AS w
WHERE w.boot_id <> $1::bigint;
