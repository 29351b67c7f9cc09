-- Queues a job that can try the part: $1 the credential's name, $2 the part.
SELECT queue_probe($1::text, $2::text) AS queued;
