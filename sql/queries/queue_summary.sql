-- The queue for a heartbeat.
SELECT coalesce(sum(l.due) FILTER (WHERE l.lane <> 'background'), 0)::bigint AS due,
       coalesce(max(l.oldest_due_s) FILTER (WHERE l.lane <> 'background'), 0)::double precision AS oldest_due_s,
       coalesce(sum(l.due) FILTER (WHERE l.lane = 'background'), 0)::bigint AS background_due, coalesce(sum(l.waiting), 0)::bigint AS waiting,
       (SELECT CASE WHEN c.paused THEN coalesce(c.paused_by, 'somebody') END FROM control AS c) AS paused_by
FROM queue_lanes() AS l;
