-- Dead letters by cause, from $1 percent of the pages; of a cause that the sample has none of, however few they are, and the newest of each,
-- exactly, by the index.
WITH RECURSIVE causes AS (
    (SELECT d.cause FROM dead_letters AS d ORDER BY d.cause LIMIT 1)
    UNION ALL
    SELECT (SELECT d.cause FROM dead_letters AS d WHERE d.cause > c.cause ORDER BY d.cause LIMIT 1) FROM causes AS c WHERE c.cause IS NOT NULL
), sampled AS (
    SELECT s.cause, round(count(*) * 100 / $1::double precision)::bigint AS n
    FROM dead_letters AS s TABLESAMPLE SYSTEM ($1::double precision) GROUP BY s.cause
)
SELECT k.cause, coalesce(s.n, (SELECT count(*) FROM (SELECT FROM dead_letters AS d WHERE d.cause = k.cause LIMIT 10001) AS d)) AS n,
       (SELECT date_trunc('second', max(l.last_at)) FROM dead_letters AS l WHERE l.cause = k.cause)::text AS last_at
FROM causes AS k LEFT JOIN sampled AS s ON s.cause = k.cause WHERE k.cause IS NOT NULL ORDER BY n DESC, k.cause;
