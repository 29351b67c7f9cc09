-- Lets them go on. Who had paused them, and for how many seconds they were, if they were.
WITH before AS MATERIALIZED (
    SELECT c.singleton, c.paused, c.paused_by, c.paused_since FROM control AS c FOR UPDATE
), done AS (
    UPDATE control AS c SET paused = false, paused_by = NULL, paused_since = NULL FROM before AS b WHERE c.singleton = b.singleton
)
SELECT b.paused, b.paused_by, extract(epoch FROM now() - b.paused_since)::double precision AS paused_s FROM before AS b;
