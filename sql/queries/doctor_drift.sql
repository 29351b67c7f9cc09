-- What of the schema is not as the last migration left it.
SELECT o.kind, o.name, c.name IS NULL AS is_missing
FROM schema_objects AS o LEFT JOIN current_schema_objects() AS c ON c.kind = o.kind AND c.name = o.name
WHERE c.digest IS DISTINCT FROM o.digest ORDER BY o.kind, o.name;
