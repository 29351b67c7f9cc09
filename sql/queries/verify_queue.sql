-- Queues those of the engagements $1 that do not wait in the queue already; how many it were.
WITH queued AS (
    INSERT INTO enrichment_queue (engagement_id, reason, priority)
    SELECT e.id, 'verify', -1 FROM unnest($1::text[]) WITH ORDINALITY AS e(id, n)
    WHERE NOT EXISTS (SELECT FROM enrichment_queue AS q WHERE left(q.engagement_id, 70) = e.id AND q.reason IS DISTINCT FROM 'not_ready')
    ORDER BY e.n RETURNING 1)
SELECT count(*) AS n FROM queued;
