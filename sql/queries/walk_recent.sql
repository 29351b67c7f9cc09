-- Queues what changed within $1 days for a second look: $2 how many at most.
SELECT queue_recent($1::double precision, $2::bigint) AS queued;
