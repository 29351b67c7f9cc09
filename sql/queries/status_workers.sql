-- The workers, those that are gone too, each with what it said last and what it holds; and the commands that fetch.
SELECT to_hex(w.boot_id) AS worker, w.host, w.pid, w.version, w.command, process_runs(w) AS is_alive, h.verdict, h.why, h.limited_by,
       extract(epoch FROM now() - w.started_at)::bigint AS up_s, extract(epoch FROM now() - coalesce(w.heartbeat_at, w.started_at))::double precision AS beat_s,
       h.last_success_s + extract(epoch FROM now() - w.heartbeat_at)::double precision AS success_s,
       h.requests_per_s, h.done, h.dead, h.listen, coalesce(q.holds, 0) AS holds, array_to_string(q.ids, ' ') AS for_example
FROM workers AS w
LEFT JOIN LATERAL jsonb_to_record(coalesce(w.heartbeat, '{}')) AS h(verdict text, why text, limited_by text, last_success_s double precision,
    requests_per_s double precision, done bigint, dead bigint, listen text) ON true
LEFT JOIN worker_holds() AS q ON q.boot_id = w.boot_id
ORDER BY w.started_at;
