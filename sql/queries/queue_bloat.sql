-- The dead rows of the queue, and the session whose snapshot has kept vacuum from removing any for longest. Who may not read
-- other roles' activity gets no age.
SELECT s.n_dead_tup AS dead, h.pid::bigint AS pid,
       extract(epoch FROM clock_timestamp() - h.xact_start)::double precision AS age_s
FROM pg_stat_user_tables AS s
LEFT JOIN LATERAL (
    SELECT a.pid, a.xact_start FROM pg_stat_activity AS a
    WHERE a.backend_xmin IS NOT NULL AND a.pid <> pg_backend_pid() AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
      AND (a.datname = current_database() OR a.datname IS NULL)
    ORDER BY age(a.backend_xmin) DESC, a.xact_start LIMIT 1
) AS h ON true
WHERE s.relid = 'enrichment_queue'::regclass;
