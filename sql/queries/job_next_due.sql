-- Seconds until the next waiting job is due; NULL when none waits. One step on the claim's index for each lane.
SELECT extract(epoch FROM min(n.available_at) - clock_timestamp())::double precision AS seconds
FROM unnest(ARRAY[1, 0, -1]) AS l(lane)
CROSS JOIN LATERAL (
    SELECT q.available_at FROM enrichment_queue AS q
    WHERE (CASE WHEN q.priority > 0 THEN 1 WHEN q.priority < 0 THEN -1 ELSE 0 END) = l.lane
      AND q.available_at > now() AND q.available_at < 'infinity'
    ORDER BY q.available_at LIMIT 1
) AS n;
