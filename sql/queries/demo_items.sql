SELECT i.engagement_id, i.kind, left(i.id, 24) AS id, left(i.what, 48) AS what, i.due_at
FROM (SELECT engagement_id, 'action item' AS kind, id, text AS what, due_at::text, _position FROM engagement_action_items
      UNION ALL
      SELECT engagement_id, 'signal', id, concat_ws(': ', name, value), NULL, _position FROM engagement_signals) AS i
WHERE i.engagement_id = ANY ($1::text[]) ORDER BY array_position($1::text[], i.engagement_id), i.kind, i._position LIMIT 12;
