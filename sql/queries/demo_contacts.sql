SELECT l.engagement_id, c.id, c.first_name, c.last_name, c.primary_email, c.company_id
FROM engagement_contacts AS l JOIN contacts AS c ON c.id = l.contact_id
WHERE l.engagement_id = ANY ($1::text[]) ORDER BY array_position($1::text[], l.engagement_id), c.id LIMIT 12;
