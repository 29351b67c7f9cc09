-- What the demo shows of the engagements $1.
SELECT e.id, left(e.title, 32) AS title, e.engagement_type AS type, e.processing_status AS status, e.start_at::text AS start_at,
       (SELECT count(*) FROM engagement_contacts AS c WHERE c.engagement_id = e.id) AS contacts,
       (SELECT count(*) FROM engagement_companies AS c WHERE c.engagement_id = e.id) AS companies,
       (SELECT string_agg(t.name, ', ' ORDER BY t.name) FROM engagement_tags AS l JOIN tags AS t ON t.id = l.tag_id WHERE l.engagement_id = e.id) AS tags,
       (SELECT length(t.transcript) FROM engagement_transcripts AS t WHERE t.engagement_id = e.id) AS transcript,
       CASE WHEN e._changed_at >= e._observed_at THEN round(extract(epoch FROM e._changed_at - e._observed_at) * 1000)::bigint END AS ms
FROM engagements AS e WHERE e.id = ANY ($1::text[]) ORDER BY array_position($1::text[], e.id);
