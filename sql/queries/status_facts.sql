-- What the verdict of "status" needs beside the queue, and how many pages the tables have of which a sample is read.
SELECT extract(epoch FROM clock_timestamp() - (SELECT max(e._changed_at) FROM engagements AS e))::double precision AS changed_s,
       (SELECT count(*) FROM (SELECT FROM engagements LIMIT 10001) AS e) AS engagements,
       greatest((SELECT c.reltuples FROM pg_class AS c WHERE c.oid = 'engagements'::regclass), 0)::bigint AS engagements_about,
       c.paused, c.paused_by, extract(epoch FROM clock_timestamp() - c.paused_since)::double precision AS paused_s,
       (SELECT count(*) FROM (SELECT FROM dead_letters AS d WHERE d.last_at > now() - interval '1 day' LIMIT 10001) AS d) AS dead_today,
       ARRAY(SELECT DISTINCT d.part FROM scope_denials AS d ORDER BY d.part) AS denied,
       (SELECT max(w.last_seen_at) FROM workers AS w)::text AS worker_seen_at,
       pg_relation_size('enrichment_queue') / 8192 AS queue_pages, pg_relation_size('engagements') / 8192 AS engagement_pages,
       pg_relation_size('engagement_gaps') / 8192 AS gap_pages, pg_relation_size('dead_letters') / 8192 AS dead_pages
FROM (SELECT) AS one LEFT JOIN control AS c ON true;
