-- What is stored of engagement $1 and what its document $2 (with the transcript $3 that was cut out of it) holds, both taken apart in
-- the same way: one row a field, value as JSON text. part is NULL for the engagement's own fields; an item has a number, an id if it
-- has one of its own, and a row even without fields. Of a transcript there is the length and a digest, of a signed URL that it is there.
WITH given AS MATERIALIZED (SELECT without_purged(p.documents[1]) AS d FROM parse_documents(ARRAY[$2::text]) AS p),
item AS (
    SELECT 'fetched' AS side, l.part, i.n, i.item
    FROM given AS g, unnest(ARRAY['companies', 'contacts', 'action_items', 'signals', 'tags']) AS l(part)
    CROSS JOIN LATERAL jsonb_array_elements(CASE WHEN jsonb_typeof(g.d -> l.part) = 'array' THEN g.d -> l.part ELSE '[]' END) WITH ORDINALITY AS i(item, n)
    UNION ALL
    SELECT 'fetched', 'owner', 1, g.d -> 'owner' FROM given AS g WHERE jsonb_typeof(g.d -> 'owner') = 'object'
    UNION ALL
    SELECT 'fetched', 'transcript', 1, jsonb_build_object('characters', length(t.text), 'content', digest(t.text))
    FROM given AS g CROSS JOIN LATERAL (SELECT coalesce($3::text, CASE WHEN jsonb_typeof(g.d -> 'transcript') = 'string' THEN g.d ->> 'transcript' END) AS text) AS t
    WHERE t.text IS NOT NULL
    UNION ALL
    SELECT 'fetched', 'media_url', 1, '{}' FROM given AS g WHERE jsonb_typeof(g.d -> 'media_url') = 'string'
    UNION ALL
    SELECT 'stored', 'companies', row_number() OVER (ORDER BY c.company_id), o._raw
    FROM engagement_companies AS c JOIN companies AS o ON o.id = c.company_id WHERE c.engagement_id = $1::text
    UNION ALL
    SELECT 'stored', 'contacts', row_number() OVER (ORDER BY c.contact_id), o._raw
    FROM engagement_contacts AS c JOIN contacts AS o ON o.id = c.contact_id WHERE c.engagement_id = $1::text
    UNION ALL
    SELECT 'stored', 'tags', row_number() OVER (ORDER BY c.tag_id), o._raw
    FROM engagement_tags AS c JOIN tags AS o ON o.id = c.tag_id WHERE c.engagement_id = $1::text
    UNION ALL
    SELECT 'stored', 'action_items', c._position, c._raw FROM engagement_action_items AS c WHERE c.engagement_id = $1::text
    UNION ALL
    SELECT 'stored', 'signals', c._position, c._raw FROM engagement_signals AS c WHERE c.engagement_id = $1::text
    UNION ALL
    SELECT 'stored', 'owner', 1, u._raw FROM engagements AS e JOIN users AS u ON u.id = e.owner_user_id WHERE e.id = $1::text AND e._parts ? 'owner'
    UNION ALL
    SELECT 'stored', 'transcript', 1, jsonb_build_object('characters', length(t.transcript), 'content', digest(t.transcript))
    FROM engagement_transcripts AS t WHERE t.engagement_id = $1::text
    UNION ALL
    -- An expired address is cleared; it had one all the same.
    SELECT 'stored', 'media_url', 1, '{}' FROM engagement_media AS m WHERE m.engagement_id = $1::text
)
SELECT b.side, NULL::text AS part, NULL::bigint AS n, NULL::text AS id, f.name, f.value::text AS value
FROM (SELECT 'stored' AS side, coalesce(e._raw, '{}') || jsonb_strip_nulls(jsonb_build_object(
                 '_deleted_at', e._deleted_at, '_unreadable_since', e._unreadable_since, '_unreadable_cause', e._unreadable_cause)) AS d
      FROM engagements AS e WHERE e.id = $1::text
      UNION ALL
      SELECT 'fetched', without_parts(g.d) FROM given AS g WHERE jsonb_typeof(g.d) = 'object') AS b
CROSS JOIN LATERAL jsonb_each(b.d) AS f(name, value)
UNION ALL
SELECT i.side, i.part, i.n, CASE WHEN jsonb_typeof(i.item -> 'id') = 'string' AND i.item ->> 'id' <> '' THEN i.item ->> 'id' END, f.name, f.value::text
FROM item AS i LEFT JOIN LATERAL jsonb_each(CASE WHEN jsonb_typeof(i.item) = 'object' THEN i.item ELSE '{}' END) AS f(name, value) ON true
ORDER BY 1, 2 NULLS FIRST, 3, 5;
