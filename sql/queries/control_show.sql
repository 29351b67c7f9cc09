-- Who has paused all workers, since when and for how many seconds, if somebody has.
SELECT c.paused, c.paused_by, date_trunc('second', c.paused_since)::text AS paused_since,
       extract(epoch FROM now() - c.paused_since)::double precision AS paused_s FROM control AS c;
