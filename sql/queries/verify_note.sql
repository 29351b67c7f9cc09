-- The list was compared with the tables: $1 the earliest updated_at or NULL, $2 when that began, $3 the pages, $4 how many were listed, $5 in
-- how many they differed, $6 how many of these were queued, $7 the earliest updated_at of what is listed and not stored as it is, or NULL. The
-- sweep's checkpoint, or that of the back-fill from which the first one goes on, says that everything before was seen: where that is not so
-- it begins there the next time.
WITH corrected AS (
    UPDATE list_walks AS s SET checkpoint = $7::text
    WHERE s.name IN ('sweep', 'backfill') AND s.finished_at IS NOT NULL AND s.checkpoint::timestamptz > $7::timestamptz
)
INSERT INTO list_walks AS w (name, since, started_at, finished_at, pages, listed, drift, queued)
VALUES ('verify', $1::text, $2::timestamptz, now(), $3::bigint, $4::bigint, $5::bigint, $6::bigint)
ON CONFLICT (name) DO UPDATE SET since = excluded.since, started_at = excluded.started_at, finished_at = excluded.finished_at,
    pages = excluded.pages, listed = excluded.listed, drift = excluded.drift, queued = excluded.queued;
