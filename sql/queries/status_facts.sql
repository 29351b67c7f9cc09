-- What "status" says beside its verdict.
WITH RECURSIVE causes AS (
    -- From one cause to the next by the index: there may be a million letters.
    (SELECT d.cause FROM dead_letters AS d ORDER BY d.cause LIMIT 1)
    UNION ALL
    SELECT (SELECT d.cause FROM dead_letters AS d WHERE d.cause > c.cause ORDER BY d.cause LIMIT 1) FROM causes AS c WHERE c.cause IS NOT NULL
)
SELECT extract(epoch FROM clock_timestamp() - (
           SELECT a.minute FROM activity_minutes AS a WHERE a.outcome NOT IN ('retry', 'released', 'dead', 'lease_lost', 'suppressed')
           ORDER BY a.minute DESC LIMIT 1))::double precision AS success_s,
       (SELECT count(*) FROM (SELECT FROM engagements LIMIT 10001) AS e) AS engagements,
       greatest((SELECT c.reltuples FROM pg_class AS c WHERE c.oid = 'engagements'::regclass), 0)::bigint AS engagements_about,
       (SELECT coalesce(sum(n.letters), 0)::bigint FROM causes AS k CROSS JOIN LATERAL (
            SELECT count(*) AS letters FROM (
                SELECT FROM dead_letters AS d WHERE d.cause = k.cause AND d.last_at > now() - interval '1 day' LIMIT 10001) AS d) AS n) AS dead_today,
       array_to_string(ARRAY(SELECT DISTINCT d.part FROM scope_denials AS d ORDER BY d.part), ',') AS denied;
