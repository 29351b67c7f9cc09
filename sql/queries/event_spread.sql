-- Queues a slice of the engagements that hold a contact, company or tag of which a webhook told: $1 how many at most.
SELECT spread_changes($1::bigint) AS n;
