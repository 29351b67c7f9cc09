-- What other workers and people changed: $1 the credential's name, $2 the parts that we want. Comma lists: parts denied, parts due
-- to be tried again, parts that answers left out; and whether there is something to fill, to release or to spread, and what is known of the rate limit.
SELECT coalesce(c.state, 'unknown') AS state, c.fingerprint, d.denied, d.due, w.withheld,
       EXISTS (SELECT FROM fillable($1::text, $2::text[], 1)) AS fillable, coalesce(c._releasing <> '{}', false) AS releasing,
       EXISTS (SELECT FROM entity_changes WHERE changed_at < now() - interval '1 minute') AS spreading, allowed_rate(c, clock_timestamp()) IS NOT NULL AS is_limited, extract(epoch FROM pause_end(c, clock_timestamp()) - clock_timestamp()) AS paused_s,
       extract(epoch FROM clock_timestamp() - c._limited_at) AS limited_ago_s
FROM (SELECT string_agg(part, ',') AS denied, string_agg(part, ',') FILTER (WHERE next_probe_at <= now()) AS due
      FROM scope_denials WHERE credential_name = $1::text) AS d
CROSS JOIN LATERAL (
    SELECT string_agg(p.part, ',') AS withheld
    FROM unnest($2::text[]) AS p(part) LEFT JOIN scope_grants AS s ON s.credential_name = $1::text AND s.part = p.part
    WHERE EXISTS (SELECT FROM engagement_gaps AS g WHERE g.part = p.part AND g.cause = 'not_delivered' AND g._queued_at IS NULL
                  AND g._asked_at > coalesce(s.granted_at, '-infinity'))) AS w
LEFT JOIN credentials AS c ON c.name = $1::text;
