SELECT cause, count(*) AS n, max(last_at)::text AS last_at FROM dead_letters GROUP BY cause ORDER BY n DESC, cause;
