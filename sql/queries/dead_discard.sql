-- Forgets the dead letters with a key in $1, or of cause $2, or all when $3.
DELETE FROM dead_letters AS d WHERE d.key = ANY ($1::text[]) OR d.cause = $2::text OR $3::boolean RETURNING d.key;
