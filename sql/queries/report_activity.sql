-- The last day in steps of ten minutes, oldest first: jobs that ended well, those that did not, how long they had waited, and the worst that the
-- queue was. Nothing where nobody noted anything.
SELECT to_char(t.at AT TIME ZONE 'UTC', 'MM-DD HH24:MI') AS at, a.done, a.failed, a.wait_ms, q.oldest_due_s
FROM generate_series(date_bin('10 minutes', now(), 'epoch') - interval '1 day' + interval '10 minutes', date_bin('10 minutes', now(), 'epoch'), interval '10 minutes') AS t(at)
LEFT JOIN (
    SELECT date_bin('10 minutes', m.minute, 'epoch') AS at, coalesce(sum(m.n) FILTER (WHERE m.outcome NOT IN ('retry', 'released', 'dead', 'lease_lost')), 0)::bigint AS done,
           coalesce(sum(m.n) FILTER (WHERE m.outcome IN ('retry', 'dead')), 0)::bigint AS failed, (sum(m.wait_ms) / sum(m.n))::bigint AS wait_ms
    FROM activity_minutes AS m WHERE m.minute > now() - interval '25 hours' GROUP BY 1) AS a ON a.at = t.at
LEFT JOIN (
    SELECT date_bin('10 minutes', m.minute, 'epoch') AS at, max(m.oldest_due_s) AS oldest_due_s
    FROM queue_minutes AS m WHERE m.minute > now() - interval '25 hours' GROUP BY 1) AS q ON q.at = t.at
ORDER BY t.at;
