-- The queue for a heartbeat: counts stop at 10,001 a lane, so this is cheap on a queue of a million. now(), since
-- clock_timestamp() is no condition for an index.
SELECT d.due, d.oldest_due_s, b.background_due, w.waiting, (SELECT CASE WHEN c.paused THEN coalesce(c.paused_by, 'somebody') END FROM control AS c) AS paused_by
FROM (SELECT count(*) AS due,
             coalesce(max(extract(epoch FROM clock_timestamp() - CASE WHEN isfinite(q.at) THEN q.at WHEN isfinite(q.enqueued_at) THEN q.enqueued_at END)), 0)::double precision AS oldest_due_s
      FROM (SELECT l.lane FROM unnest(ARRAY[1, 0]) AS l(lane)) AS l
      CROSS JOIN LATERAL (
          SELECT coalesce(e.due_at, e.available_at) AS at, e.enqueued_at FROM enrichment_queue AS e
          WHERE (CASE WHEN e.priority > 0 THEN 1 WHEN e.priority < 0 THEN -1 ELSE 0 END) = l.lane AND e.available_at <= now()
          ORDER BY e.available_at LIMIT 10001) AS q) AS d,
     (SELECT count(*) AS background_due
      FROM (SELECT FROM enrichment_queue AS e
            WHERE (CASE WHEN e.priority > 0 THEN 1 WHEN e.priority < 0 THEN -1 ELSE 0 END) = -1 AND e.available_at <= now()
            ORDER BY e.available_at LIMIT 10001) AS q) AS b,
     (SELECT count(*) AS waiting
      FROM (SELECT l.lane FROM unnest(ARRAY[1, 0, -1]) AS l(lane)) AS l
      CROSS JOIN LATERAL (
          SELECT e.leased_by FROM enrichment_queue AS e
          WHERE (CASE WHEN e.priority > 0 THEN 1 WHEN e.priority < 0 THEN -1 ELSE 0 END) = l.lane AND e.available_at > now()
          ORDER BY e.available_at LIMIT 10001) AS q
      WHERE q.leased_by IS NULL) AS w;
