-- Queues a slice of the dead letters that a new token may read: $1 the credential's name, $2 how many at most.
SELECT release_dead($1::text, $2::bigint) AS n;
