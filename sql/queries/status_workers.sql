SELECT to_hex(w.boot_id) AS worker, w.host, w.pid, w.version, extract(epoch FROM now() - w.started_at)::bigint AS up_s,
       extract(epoch FROM now() - w.last_seen_at)::bigint AS seen_s, w.idle_until > now() AS idle,
       (SELECT count(*) FROM enrichment_queue AS q
        WHERE (CASE WHEN q.priority > 0 THEN 1 WHEN q.priority < 0 THEN -1 ELSE 0 END) IN (1, 0, -1)
          AND q.available_at > now() AND q.available_at < now() + interval '11 minutes' AND q.leased_by = w.boot_id) AS holds
FROM workers AS w ORDER BY w.started_at;
