-- Pauses all workers of the schema, in the name of $1. Who had paused them before, if they were.
WITH before AS MATERIALIZED (
    SELECT c.singleton, c.paused, c.paused_by, c.paused_since FROM control AS c FOR UPDATE
), done AS (
    UPDATE control AS c SET paused = true, paused_by = $1::text, paused_since = now() FROM before AS b WHERE c.singleton = b.singleton AND NOT b.paused
)
SELECT b.paused, b.paused_by, date_trunc('second', b.paused_since)::text AS paused_since FROM before AS b;
