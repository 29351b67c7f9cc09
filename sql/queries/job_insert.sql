-- Queues the engagement ids $1 with reason $2 and priority $3.
INSERT INTO enrichment_queue (engagement_id, reason, priority)
SELECT e.id, $2::text, $3::bigint::integer FROM unnest($1::text[]) WITH ORDINALITY AS e(id, n) ORDER BY e.n;
