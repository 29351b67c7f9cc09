-- The last $1 minutes, oldest first: jobs that ended well, those that did not, and the worst age of the queue.
SELECT m.minute::text, a.done, a.failed, q.oldest_due_s, q.due
FROM generate_series(date_trunc('minute', now()) - $1::bigint * interval '1 minute', date_trunc('minute', now()), interval '1 minute') AS m(minute)
LEFT JOIN (
    SELECT s.minute, coalesce(sum(s.n) FILTER (WHERE s.outcome NOT IN ('retry', 'released', 'dead', 'lease_lost')), 0)::bigint AS done,
           coalesce(sum(s.n) FILTER (WHERE s.outcome IN ('retry', 'dead')), 0)::bigint AS failed
    FROM activity_minutes AS s WHERE s.minute >= now() - ($1::bigint + 1) * interval '1 minute' GROUP BY s.minute) AS a ON a.minute = m.minute
LEFT JOIN queue_minutes AS q ON q.minute = m.minute
ORDER BY m.minute;
