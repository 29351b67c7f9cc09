-- Queues a slice of what can be filled: $1 the credential's name, $2 the parts that we want, $3 how many at most.
SELECT refill($1::text, $2::text[], $3::bigint) AS n;
