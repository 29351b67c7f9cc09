-- The database's clock: the only one that observations are compared by. With it, since it is read just before each request: whether
-- a worker met the API's rate limit, and until when nobody sends. $1 the credential's name.
SELECT clock_timestamp()::text AS clock, extract(epoch FROM pause_end(c, clock_timestamp()) - clock_timestamp()) AS paused_s,
       extract(epoch FROM clock_timestamp() - c._limited_at) AS limited_ago_s
FROM (SELECT) AS one LEFT JOIN credentials AS c ON c.name = $1::text AND pause_end(c, clock_timestamp()) IS NOT NULL;
