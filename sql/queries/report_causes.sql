-- Why jobs failed, or were put off, within the last day.
SELECT m.outcome, m.cause, sum(m.n)::bigint AS n FROM activity_minutes AS m
WHERE m.minute > now() - interval '1 day' AND m.outcome IN ('retry', 'released', 'dead') GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 15;
