SELECT engagement_id, part, explanation FROM missing_parts WHERE engagement_id = ANY ($1::text[]) ORDER BY engagement_id, part;
