-- Leases due jobs: $1 our boot id, $2 the lease in seconds, $3 how many of each lane, $4 and $5 the floors.
-- Run with synchronous_commit off: a claim lost in a crash of the server only makes its job claimable again, and the
-- token (id, claims, leased_by) keeps a worker that still believes in it from writing.
SELECT c.*, CASE WHEN (SELECT EXISTS (SELECT FROM suppressions)) THEN coalesce(is_suppressed('engagement', c.engagement_id), false) ELSE false END AS is_suppressed
FROM claim($1::bigint, $2::double precision, $3::bigint[], $4::text[], $5::bigint[]) AS c;
