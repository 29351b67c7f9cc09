-- Forgets a slice of the webhooks that were taken more than $1 seconds ago: $2 how many at most. How many it were.
WITH gone AS (
    DELETE FROM webhook_events WHERE id IN (
        SELECT e.id FROM (SELECT p.id, p.received_at FROM webhook_events AS p ORDER BY p.id LIMIT $2::bigint) AS e
        WHERE e.received_at < now() - make_interval(secs => $1::double precision)) RETURNING 1)
SELECT count(*) AS n FROM gone;
