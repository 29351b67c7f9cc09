SELECT engagement_id, path, source, object_type, crm_object_id, crm_object_key
FROM engagement_crm_links WHERE engagement_id = ANY ($1::text[])
ORDER BY array_position($1::text[], engagement_id), path, crm_object_id LIMIT 12;
