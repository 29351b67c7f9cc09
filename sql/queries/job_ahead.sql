-- What a worker that finds nothing to claim has to know: whether a job is due that has to run alone, and could be claimed (one that a
-- person has locked could not); and the seconds until the next waiting job is due, NULL when none waits, one step on the claim's
-- index for each lane.
SELECT NOT (SELECT paused FROM control)
       AND EXISTS (SELECT FROM (SELECT FROM enrichment_queue AS q
                                WHERE q.losses >= 2 AND q.losses < 5 AND q.available_at <= now()
                                LIMIT 1 FOR UPDATE SKIP LOCKED) AS suspect) AS suspects_are_due,
       (SELECT extract(epoch FROM min(n.available_at) - clock_timestamp())::double precision
        FROM unnest(ARRAY[1, 0, -1]) AS l(lane)
        CROSS JOIN LATERAL (
            SELECT q.available_at FROM enrichment_queue AS q
            WHERE (CASE WHEN q.priority > 0 THEN 1 WHEN q.priority < 0 THEN -1 ELSE 0 END) = l.lane
              AND q.available_at > now() AND q.available_at < 'infinity'
            ORDER BY q.available_at LIMIT 1
        ) AS n) AS next_due_s;
