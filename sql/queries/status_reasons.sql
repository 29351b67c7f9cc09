-- The queue by lane and reason, where no lane has more than 10,000 rows. By the index: a queue may be much larger than what is in it.
SELECT l.name AS lane, left(q.reason, 60) AS reason, count(*) FILTER (WHERE q.available_at <= now()) AS due,
       count(*) FILTER (WHERE q.available_at > now() AND q.leased_by IS NOT NULL) AS in_hand,
       count(*) FILTER (WHERE q.available_at > now() AND q.leased_by IS NULL) AS waiting
FROM (VALUES (1, 'first'), (0, 'normal'), (-1, 'background')) AS l(lane, name)
CROSS JOIN LATERAL (
    SELECT e.reason, e.available_at, e.leased_by FROM enrichment_queue AS e
    WHERE (CASE WHEN e.priority > 0 THEN 1 WHEN e.priority < 0 THEN -1 ELSE 0 END) = l.lane
    ORDER BY e.available_at LIMIT 20002) AS q
GROUP BY l.lane, l.name, 2 ORDER BY count(*) DESC, l.lane DESC, 2 LIMIT 20;
