-- Forgets that these were purged: $1 their kinds, $2 the values.
SELECT forget($1::text[], $2::text[]);
