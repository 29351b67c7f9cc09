-- What is missing and why, from $1 percent of the pages.
SELECT g.part, g.cause, g.scope, round(count(*) * 100 / $1::double precision)::bigint AS n
FROM engagement_gaps AS g TABLESAMPLE SYSTEM ($1::double precision) GROUP BY g.part, g.cause, g.scope ORDER BY n DESC, g.part;
