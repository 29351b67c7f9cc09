-- Forgets a slice of the webhooks that were taken more than $1 seconds ago: $2 how many at most.
DELETE FROM webhook_events WHERE id IN (
    SELECT e.id FROM webhook_events AS e
    WHERE e.id < (SELECT min(n.id) + $2::bigint FROM webhook_events AS n) AND e.received_at < now() - make_interval(secs => $1::double precision));
