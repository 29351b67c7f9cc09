SELECT due, oldest_due_s, background_due, waiting, leased, dead_letters, workers, paused,
       (SELECT c.paused_by FROM control AS c) AS paused_by, (SELECT date_trunc('second', c.paused_since) FROM control AS c) AS paused_since
FROM queue_health;
