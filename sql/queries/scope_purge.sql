-- Forgets a denied part of a slice of engagements: $1 the credential's name, $2 the part, $3 the last id of the slice before, $4 how
-- many at most.
SELECT purge_part($1::text, $2::text, $3::text, $4::bigint) AS last;
