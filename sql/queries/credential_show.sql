-- What is known of the credential $1, also if no worker has used it yet, and how many workers were seen lately.
SELECT c.name IS NOT NULL AS is_used, coalesce(c.state, 'unknown') AS state, date_trunc('second', c.first_seen_at)::text AS first_seen_at,
       date_trunc('second', c.last_seen_at)::text AS last_seen_at, date_trunc('second', c.next_probe_at)::text AS next_probe_at,
       (SELECT count(*) FROM workers AS w WHERE w.command IS NULL AND w.last_seen_at > now() - interval '2 minutes') AS workers
FROM (SELECT) AS one LEFT JOIN credentials AS c ON c.name = $1::text;
