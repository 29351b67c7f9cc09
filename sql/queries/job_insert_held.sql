-- Queues one engagement, held by us from the start, for "enrich": $1 its id, $2 our boot id, $3 the lease in seconds.
INSERT INTO enrichment_queue (engagement_id, reason, priority, leased_by, claims, due_at, available_at)
VALUES ($1::text, 'enrich', 1, $2::bigint, 1, now(), now() + make_interval(secs => $3::double precision))
RETURNING id, clock_timestamp()::text AS clock, is_suppressed('engagement', engagement_id) AS is_suppressed;
