-- From here on nothing of these is written again: $1 their kinds, $2 the values, $3 the key of what they are purged with; NULL: of the
-- first of them.
SELECT suppress($1::text[], $2::text[], coalesce($3::text, suppression_key(($1::text[])[1], ($2::text[])[1])));
