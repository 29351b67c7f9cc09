-- Dead letters by cause, from $1 percent of the pages; the newest of each exactly.
SELECT d.cause, d.n, (SELECT date_trunc('second', max(l.last_at)) FROM dead_letters AS l WHERE l.cause = d.cause)::text AS last_at
FROM (SELECT s.cause, round(count(*) * 100 / $1::double precision)::bigint AS n
      FROM dead_letters AS s TABLESAMPLE SYSTEM ($1::double precision) GROUP BY s.cause) AS d
ORDER BY d.n DESC, d.cause;
