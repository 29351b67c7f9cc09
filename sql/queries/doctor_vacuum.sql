-- What else than a session keeps vacuum from finished rows, and whether the role sees the transactions of other roles.
SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all,
       (SELECT s.slot_name::text FROM pg_replication_slots AS s WHERE s.xmin IS NOT NULL AND NOT s.active
        ORDER BY age(s.xmin) DESC LIMIT 1) AS slot,
       p.gid AS prepared, extract(epoch FROM clock_timestamp() - p.prepared)::double precision AS prepared_s
FROM (SELECT) AS one
LEFT JOIN LATERAL (
    SELECT x.gid, x.prepared FROM pg_prepared_xacts AS x WHERE x.database = current_database() ORDER BY x.prepared LIMIT 1
) AS p ON true;
