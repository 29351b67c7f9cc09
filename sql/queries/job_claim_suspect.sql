-- Leases one due job that lost two workers or more, for a worker that has nothing else in hand: $1 our boot id, $2 the lease in seconds.
SELECT c.*, coalesce(is_suppressed('engagement', c.engagement_id), false) AS is_suppressed
FROM claim_suspect($1::bigint, $2::double precision) AS c;
