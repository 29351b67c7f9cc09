-- Takes what is purged out of a slice of the table $1: $2 where it begins, NULL at first, $3 how many rows. How many had it, and where the
-- next one begins.
SELECT r.n, r.last::text AS last FROM redact_rows($1::text, $2::text::jsonb, $3::bigint) AS r;
