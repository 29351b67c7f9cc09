-- Forgets a denied part of a slice of engagements: $1 the part, $2 the last id of the slice before, $3 how many at most.
SELECT purge_part($1::text, $2::text, $3::bigint) AS last;
