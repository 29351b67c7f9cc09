-- Each part of the engagements that can be read, from $1 percent of their pages: for how many it was asked, for how many of these it is here as the
-- source showed it last, and how long ago it was seen.
WITH e AS MATERIALIZED (
    SELECT s.id, s._parts, extract(epoch FROM clock_timestamp()) AS read_at
    FROM engagements AS s TABLESAMPLE SYSTEM ($1::double precision) WHERE s._deleted_at IS NULL AND s._unreadable_since IS NULL
), d AS (
    SELECT e.id, k.key AS part, (e.read_at - extract(epoch FROM (k.value ->> 'o')::timestamptz))::double precision AS age
    FROM e CROSS JOIN LATERAL jsonb_each(e._parts) AS k
), g AS (
    -- OFFSET keeps it one look by the index an engagement: a join may read all gaps instead.
    SELECT e.id, m.part FROM e CROSS JOIN LATERAL (SELECT n.part FROM engagement_gaps AS n WHERE n.engagement_id = e.id OFFSET 0) AS m
)
SELECT p.part, coalesce(c.wanted, 0) AS wanted, coalesce(c.complete, 0) AS complete, c.ages[1] AS age_p50_s, c.ages[2] AS age_p95_s
FROM unnest(ARRAY['companies', 'contacts', 'owner', 'action_items', 'signals', 'transcript', 'media_url', 'tags']) WITH ORDINALITY AS p(part, i)
LEFT JOIN (
    SELECT coalesce(d.part, g.part) AS part, count(*) AS wanted, count(*) FILTER (WHERE g.id IS NULL) AS complete,
           percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY d.age) AS ages
    FROM d FULL JOIN g ON g.id = d.id AND g.part = d.part GROUP BY 1) AS c ON c.part = p.part
ORDER BY p.i;
