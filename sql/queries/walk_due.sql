-- In how many seconds the sweep is due, or goes on: $1 how many seconds lie between two. During a pause it does not begin.
SELECT greatest(
    coalesce((SELECT CASE WHEN w.finished_at IS NULL THEN 0
                          ELSE extract(epoch FROM w.finished_at - clock_timestamp()) + $1::double precision END
              FROM list_walks AS w WHERE w.name = 'sweep'), 0),
    (SELECT 1 FROM control AS c WHERE c.paused))::double precision AS seconds;
