-- How many dead letters there are with a key in $1, or of cause $2, or in all when $3.
SELECT count(*) AS n FROM dead_letters AS d WHERE d.key = ANY ($1::text[]) OR d.cause = $2::text OR $3::boolean;
