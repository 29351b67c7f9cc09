-- What the tables show as readable, in slices by id: $1 the last id, $2 the earliest updated_at or NULL, $3 what was observed by then, $4
-- how many at most.
SELECT e.id, coalesce(e.is_private, false) AS is_private, e.updated_at::text AS stored_at FROM engagements AS e
WHERE e.id > $1::text AND e._deleted_at IS NULL AND e._unreadable_since IS NULL AND e._observed_at < $3::timestamptz
  AND ($2::text IS NULL OR e.updated_at >= $2::timestamptz)
ORDER BY e.id LIMIT $4::bigint;
