SELECT e.id, e.title, e.engagement_type, e.processing_status, e.updated_at::text, e._observed_at::text AS observed_at,
       (SELECT count(*) FROM engagement_contacts AS c WHERE c.engagement_id = e.id) AS contacts,
       (SELECT count(*) FROM engagement_companies AS c WHERE c.engagement_id = e.id) AS companies,
       (SELECT count(*) FROM engagement_action_items AS c WHERE c.engagement_id = e.id) AS action_items,
       (SELECT count(*) FROM engagement_signals AS c WHERE c.engagement_id = e.id) AS signals,
       (SELECT count(*) FROM engagement_tags AS c WHERE c.engagement_id = e.id) AS tags,
       (SELECT length(t.transcript) FROM engagement_transcripts AS t WHERE t.engagement_id = e.id) AS transcript_characters,
       (SELECT count(*) FROM engagement_crm_links AS l WHERE l.engagement_id = e.id) AS crm_links,
       ARRAY(SELECT g.part || ' (' || g.cause || ')' FROM engagement_gaps AS g WHERE g.engagement_id = e.id ORDER BY g.part) AS missing
FROM engagements AS e WHERE e.id = $1::text;
