-- For "scopes": the parts $2 and those that are denied, for the credential $1, each with a verdict and its evidence. Counts stop
-- at 10,001. That a part is readable shows one of the engagements that were written last.
SELECT p.part, CASE WHEN d.part IS NOT NULL THEN d.scope ELSE coalesce(part_scope(p.part), 'engagements:read') END AS scope,
       CASE WHEN d.part IS NOT NULL THEN 'denied' WHEN w.since IS NOT NULL THEN 'not delivered' WHEN r.id IS NOT NULL THEN 'readable' ELSE 'unknown' END AS verdict,
       CASE WHEN d.part IS NOT NULL THEN d.evidence_id WHEN w.since IS NOT NULL THEN w.engagement_id ELSE r.id END AS evidence,
       CASE WHEN d.part IS NOT NULL THEN d.request_id WHEN w.since IS NOT NULL THEN w.request_id END AS request_id,
       date_trunc('second', CASE WHEN d.part IS NOT NULL THEN d.first_seen_at END)::text AS first_seen_at,
       date_trunc('second', CASE WHEN d.part IS NOT NULL THEN d.last_seen_at WHEN w.since IS NOT NULL THEN w.since ELSE r.at END)::text AS last_seen_at,
       date_trunc('second', d.next_probe_at)::text AS next_probe_at,
       CASE WHEN d.part IS NOT NULL OR w.since IS NOT NULL THEN (
           SELECT count(*) FROM (SELECT FROM engagement_gaps AS g WHERE g.part = p.part AND g.cause IN ('scope_denied', 'not_delivered') LIMIT 10001) AS n) END AS lacking
FROM (SELECT unnest($2::text[]) AS part UNION SELECT part FROM scope_denials WHERE credential_name = $1::text) AS p
LEFT JOIN scope_denials AS d ON d.credential_name = $1::text AND d.part = p.part
LEFT JOIN scope_grants AS s ON s.credential_name = $1::text AND s.part = p.part
LEFT JOIN LATERAL (
    SELECT g.engagement_id, g.request_id, g.since FROM engagement_gaps AS g
    WHERE g.part = p.part AND g.cause = 'not_delivered' AND g._asked_at > coalesce(s.granted_at, '-infinity')
    ORDER BY g._asked_at DESC LIMIT 1) AS w ON true
LEFT JOIN LATERAL (
    SELECT e.id, (e._parts #>> ARRAY[p.part, 'o'])::timestamptz AS at
    FROM (SELECT l.id, l._parts FROM engagements AS l ORDER BY l._changed_at DESC LIMIT 1000) AS e
    WHERE e._parts ? p.part AND NOT EXISTS (
        SELECT FROM engagement_gaps AS g WHERE g.engagement_id = e.id AND g.part = p.part AND g.cause IN ('scope_denied', 'not_delivered'))
    ORDER BY at DESC LIMIT 1) AS r ON true
ORDER BY array_position(ARRAY['companies', 'contacts', 'owner', 'action_items', 'signals', 'transcript', 'media_url', 'tags'], p.part), p.part;
