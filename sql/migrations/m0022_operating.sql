-- For those who operate it: how each worker is, and how the last days went.

-- Minutes, since a row a job would cost as much as the job. Who reads them for the state of a job reads the wrong table: what a worker
-- had not noted yet when it died is missing.
CREATE TABLE activity_minutes (
    minute                timestamptz NOT NULL,
    boot_id               bigint      NOT NULL,
    outcome               text        NOT NULL,
    cause                 text        NOT NULL,
    n                     bigint      NOT NULL,
    requests              bigint      NOT NULL,
    wait_ms               bigint      NOT NULL,
    run_ms                bigint      NOT NULL,
    slowest_ms            bigint      NOT NULL,
    slowest_engagement_id text,
    PRIMARY KEY (minute, boot_id, outcome, cause)
);
COMMENT ON TABLE activity_minutes IS 'How jobs ended, one row a minute, worker, outcome and cause: for charts. What a worker had not noted when it died is missing.';
COMMENT ON COLUMN activity_minutes.cause IS 'Empty where there is none.';
COMMENT ON COLUMN activity_minutes.n IS 'Lines job.done in the log.';
COMMENT ON COLUMN activity_minutes.wait_ms IS 'The sum of their wait_ms.';
COMMENT ON COLUMN activity_minutes.run_ms IS 'The sum of their fetch_ms and write_ms.';
COMMENT ON COLUMN activity_minutes.slowest_ms IS 'fetch_ms and write_ms of the slowest of them.';

CREATE TABLE queue_minutes (
    minute         timestamptz      PRIMARY KEY,
    due            bigint           NOT NULL,
    oldest_due_s   double precision NOT NULL,
    background_due bigint           NOT NULL,
    waiting        bigint           NOT NULL
);
COMMENT ON TABLE queue_minutes IS 'The queue as the workers saw it, the worst of each minute: for charts. Counts above 10,000 are bounded.';
COMMENT ON COLUMN queue_minutes.oldest_due_s IS 'The age of the oldest due job, of the normal lane and above.';

-- A commit whose answer was lost is noted twice; charts bear that.
CREATE FUNCTION note_heartbeat(boot bigint, beat jsonb, activity jsonb) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    this timestamptz := date_trunc('minute', clock_timestamp());
BEGIN
    PERFORM lock_writing(false);
    UPDATE workers AS w SET heartbeat = beat, heartbeat_at = clock_timestamp() WHERE w.boot_id = boot;
    INSERT INTO activity_minutes AS a (minute, boot_id, outcome, cause, n, requests, wait_ms, run_ms, slowest_ms, slowest_engagement_id)
    SELECT this, boot, x.outcome, x.cause, x.n, x.requests, x.wait_ms, x.run_ms, x.slowest_ms,
           -- Purged since.
           CASE WHEN is_suppressed('engagement', x.slowest_engagement_id) IS NOT TRUE THEN x.slowest_engagement_id END
    FROM jsonb_to_recordset(activity) AS x(outcome text, cause text, n bigint, requests bigint, wait_ms bigint, run_ms bigint, slowest_ms bigint,
                                           slowest_engagement_id text)
    ON CONFLICT (minute, boot_id, outcome, cause) DO UPDATE SET
        n = a.n + excluded.n, requests = a.requests + excluded.requests, wait_ms = a.wait_ms + excluded.wait_ms, run_ms = a.run_ms + excluded.run_ms,
        slowest_ms = greatest(a.slowest_ms, excluded.slowest_ms),
        slowest_engagement_id = CASE WHEN excluded.slowest_ms > a.slowest_ms THEN excluded.slowest_engagement_id ELSE a.slowest_engagement_id END;
    IF beat ->> 'due' IS NOT NULL THEN
        INSERT INTO queue_minutes AS q (minute, due, oldest_due_s, background_due, waiting)
        VALUES (this, (beat ->> 'due')::bigint, (beat ->> 'oldest_due_s')::double precision, (beat ->> 'background_due')::bigint,
                (beat ->> 'waiting')::bigint)
        ON CONFLICT (minute) DO UPDATE SET
            due = greatest(q.due, excluded.due), oldest_due_s = greatest(q.oldest_due_s, excluded.oldest_due_s),
            background_due = greatest(q.background_due, excluded.background_due), waiting = greatest(q.waiting, excluded.waiting);
    END IF;
END $$;
COMMENT ON FUNCTION note_heartbeat IS 'Internal: how a worker is, and what it did since it said so last.';

-- True when there may be more.
CREATE FUNCTION prune_activity(most bigint) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    until timestamptz := now() - (SELECT c.activity_kept FROM control AS c);
    n bigint;
BEGIN
    DELETE FROM queue_minutes AS q WHERE q.minute < until;
    DELETE FROM activity_minutes AS a USING (
        SELECT p.minute, p.boot_id, p.outcome, p.cause FROM activity_minutes AS p WHERE p.minute < until
        ORDER BY p.minute LIMIT most FOR UPDATE SKIP LOCKED) AS old
    WHERE (a.minute, a.boot_id, a.outcome, a.cause) = (old.minute, old.boot_id, old.outcome, old.cause);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n = most;
END $$;
COMMENT ON FUNCTION prune_activity IS 'Internal: deletes old rows of activity_minutes and queue_minutes.';

CREATE VIEW status_hourly AS
SELECT h.hour, coalesce(a.done, 0) AS done, coalesce(a.retried, 0) AS retried, coalesce(a.released, 0) AS released, coalesce(a.dead, 0) AS dead,
       coalesce(a.requests, 0) AS requests, a.wait_ms_avg, a.run_ms_avg, q.oldest_due_s, q.due
FROM (SELECT date_trunc('hour', minute) AS hour FROM activity_minutes UNION SELECT date_trunc('hour', minute) FROM queue_minutes) AS h
LEFT JOIN (
    SELECT date_trunc('hour', m.minute) AS hour, sum(m.n) FILTER (WHERE m.outcome NOT IN ('retry', 'released', 'dead', 'lease_lost'))::bigint AS done,
           sum(m.n) FILTER (WHERE m.outcome = 'retry')::bigint AS retried, sum(m.n) FILTER (WHERE m.outcome = 'released')::bigint AS released,
           sum(m.n) FILTER (WHERE m.outcome = 'dead')::bigint AS dead, sum(m.requests)::bigint AS requests,
           round(sum(m.wait_ms) / sum(m.n))::bigint AS wait_ms_avg, round(sum(m.run_ms) / sum(m.n))::bigint AS run_ms_avg
    FROM activity_minutes AS m GROUP BY 1) AS a ON a.hour = h.hour
LEFT JOIN (
    SELECT date_trunc('hour', m.minute) AS hour, max(m.oldest_due_s) AS oldest_due_s, max(m.due) AS due FROM queue_minutes AS m GROUP BY 1
) AS q ON q.hour = h.hour;
COMMENT ON VIEW status_hourly IS 'The last days by the hour: how jobs ended, how long they waited and took, and the worst that the queue was.';

CREATE VIEW coverage_by_part AS
SELECT p.part, count(*) AS engagements, count(*) FILTER (WHERE e._parts ? p.part AND g.cause IS NULL) AS complete,
       count(*) FILTER (WHERE g.cause = 'scope_denied') AS scope_denied, count(*) FILTER (WHERE g.cause = 'not_delivered') AS not_delivered,
       count(*) FILTER (WHERE g.cause = 'not_ready') AS not_ready, count(*) FILTER (WHERE g.cause = 'malformed') AS malformed,
       count(*) FILTER (WHERE NOT e._parts ? p.part AND g.cause IS NULL) AS not_asked
FROM engagements AS e
CROSS JOIN unnest(ARRAY['companies', 'contacts', 'owner', 'action_items', 'signals', 'transcript', 'media_url', 'tags']) AS p(part)
LEFT JOIN engagement_gaps AS g ON g.engagement_id = e.id AND g.part = p.part
WHERE e._deleted_at IS NULL AND e._unreadable_since IS NULL
GROUP BY p.part;
COMMENT ON VIEW coverage_by_part IS 'Of the engagements that can be read: for how many each part is here as the source last showed it, and why it is missing. Reads all engagements.';

-- What is read of the queue each 10 s by each worker. Along the index, whatever ANALYZE last knew of the table: by a bitmap a queue that grew
-- to a million since would be read whole. What is in hand stands among what waits for its time: of more than 10,000 it is not known (NULL).
CREATE FUNCTION queue_lanes() RETURNS TABLE (lane text, due bigint, oldest_due_s double precision, in_hand bigint, waiting bigint)
    LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    RETURN QUERY
    SELECT l.name, d.n, d.age, CASE WHEN h.n <= 10000 THEN h.held END, CASE WHEN h.n <= 10000 THEN h.n - h.held ELSE 10001 END
    FROM (VALUES (1, 'first'), (0, 'normal'), (-1, 'background')) AS l(sign, name)
    CROSS JOIN LATERAL (
        SELECT count(*) AS n,
               max(extract(epoch FROM clock_timestamp() - CASE WHEN isfinite(q.at) THEN q.at WHEN isfinite(q.enqueued_at) THEN q.enqueued_at END))::double precision AS age
        -- now(), since clock_timestamp() is no condition for an index.
        FROM (SELECT coalesce(e.due_at, e.available_at) AS at, e.enqueued_at FROM enrichment_queue AS e
              WHERE (CASE WHEN e.priority > 0 THEN 1 WHEN e.priority < 0 THEN -1 ELSE 0 END) = l.sign AND e.available_at <= now()
              ORDER BY e.available_at LIMIT 10001) AS q) AS d
    CROSS JOIN LATERAL (
        SELECT count(*) AS n, count(q.leased_by) AS held
        FROM (SELECT e.leased_by FROM enrichment_queue AS e
              WHERE (CASE WHEN e.priority > 0 THEN 1 WHEN e.priority < 0 THEN -1 ELSE 0 END) = l.sign AND e.available_at > now()
              ORDER BY e.available_at LIMIT 10001) AS q) AS h;
END $$;
COMMENT ON FUNCTION queue_lanes IS 'The queue by lane: jobs that are due, the age of the oldest, those in hand and those that wait for their time. Counts stop at 10,001, so it is cheap on any queue; in_hand is NULL where more than 10,000 wait.';

-- A lease ends within 11 minutes.
CREATE FUNCTION worker_holds() RETURNS TABLE (boot_id bigint, holds bigint, ids text[])
    LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    RETURN QUERY
    SELECT h.leased_by, count(*), (array_agg(left(h.engagement_id, 70) ORDER BY h.due_at, h.id))[1:3]
    FROM (VALUES (1), (0), (-1)) AS l(sign)
    CROSS JOIN LATERAL (
        SELECT e.id, e.engagement_id, e.leased_by, e.due_at FROM enrichment_queue AS e
        WHERE (CASE WHEN e.priority > 0 THEN 1 WHEN e.priority < 0 THEN -1 ELSE 0 END) = l.sign
          AND e.available_at > now() AND e.available_at < now() + interval '11 minutes'
        ORDER BY e.available_at LIMIT 10001) AS h
    WHERE h.leased_by IS NOT NULL
    GROUP BY h.leased_by;
END $$;
COMMENT ON FUNCTION worker_holds IS 'How many jobs each worker holds, and three of them, those that were due first.';

-- What the migrations made, for doctor to compare with what is there. Ours have comments.

CREATE TABLE schema_objects (
    kind   text NOT NULL,
    name   text NOT NULL,
    digest text NOT NULL,
    PRIMARY KEY (kind, name)
);
COMMENT ON TABLE schema_objects IS 'The objects of the schema as the last migration left them: doctor tells what has changed since.';

-- The tables that are ours. Others in the schema are people's own.
CREATE FUNCTION own_tables() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_split_to_array('activity_minutes companies contacts control credentials crm_associations dead_letters engagement_action_items
        engagement_companies engagement_contacts engagement_gaps engagement_media engagement_signals engagement_tags engagement_transcripts engagements
        enrichment_queue entity_changes last_writes list_walks outbox purge_needles queue_minutes schema_migrations schema_objects scope_denials
        scope_grants suppressions tags upkeep users webhook_events workers', '\s+')
$$;
COMMENT ON FUNCTION own_tables IS 'Internal: the names of our tables.';

CREATE FUNCTION current_schema_objects() RETURNS TABLE (kind text, name text, digest text) LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    WITH ours AS (
        SELECT c.oid, c.relname::text AS name, c.relkind FROM pg_class AS c
        WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND (c.relkind IN ('r', 'p') AND c.relname = ANY (own_tables()) OR c.relkind = 'v' AND obj_description(c.oid, 'pg_class') IS NOT NULL)
    )
    SELECT CASE o.relkind WHEN 'v' THEN 'view' ELSE 'table' END, o.name, CASE o.relkind WHEN 'v' THEN md5(pg_get_viewdef(o.oid)) ELSE '' END FROM ours AS o
    UNION ALL
    SELECT 'column', o.name || '.' || a.attname, format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
    FROM ours AS o JOIN pg_attribute AS a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE o.relkind <> 'v'
    UNION ALL
    SELECT 'index', i.relname, CASE WHEN x.indisvalid THEN md5(regexp_replace(pg_get_indexdef(x.indexrelid), ' ON (ONLY )?\S+ ', ' ')) ELSE 'invalid' END
    FROM ours AS o JOIN pg_index AS x ON x.indrelid = o.oid JOIN pg_class AS i ON i.oid = x.indexrelid
    UNION ALL
    SELECT 'trigger', o.name || '.' || t.tgname, t.tgenabled::text FROM ours AS o JOIN pg_trigger AS t ON t.tgrelid = o.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT 'function', p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', md5(coalesce(p.prosrc, '') || coalesce(p.proconfig::text, '') || p.prosecdef::text)
    FROM pg_proc AS p
    WHERE p.pronamespace = to_regnamespace(quote_ident(current_schema())) AND obj_description(p.oid, 'pg_proc') IS NOT NULL
$$;
COMMENT ON FUNCTION current_schema_objects IS 'Internal: our tables and what belongs to them, and views and functions with a comment, as ours have; and what they consist of.';

CREATE FUNCTION record_schema() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM schema_objects;
    INSERT INTO schema_objects (kind, name, digest) SELECT c.kind, c.name, c.digest FROM current_schema_objects() AS c;
END $$;
COMMENT ON FUNCTION record_schema IS 'Internal: remembers the schema as it is, at the end of a migration.';

-- Last, since nobody claims or inserts meanwhile.

ALTER TABLE workers ADD COLUMN heartbeat jsonb, ADD COLUMN heartbeat_at timestamptz;
COMMENT ON COLUMN workers.heartbeat IS 'The fields of worker.heartbeat as the worker saw them last, each 10 s.';
COMMENT ON COLUMN workers.heartbeat_at IS 'When that was.';

ALTER TABLE control ADD COLUMN activity_kept interval NOT NULL DEFAULT '8 days';
COMMENT ON COLUMN control.activity_kept IS 'For how long activity_minutes and queue_minutes are kept.';

-- A worker of this host that is gone holds no lock any more; of one behind a pooler only its last sign of life is known.
CREATE VIEW workers_alive AS
SELECT w.boot_id, w.host, w.pid, w.version, w.started_at, w.last_seen_at, w.heartbeat, w.heartbeat_at
FROM workers AS w
WHERE CASE
      -- A standby knows of no locks.
      WHEN pg_is_in_recovery() THEN coalesce(w.heartbeat_at, w.last_seen_at) > now() - interval '2 minutes'
      WHEN w._holds_lock
      THEN EXISTS (SELECT FROM pg_locks AS l
                   WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
                     AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                     AND (l.classid::bigint << 32) | l.objid::bigint = w.boot_id)
           -- After an outage all have to come back first.
           OR w.last_seen_at > now() - interval '5 seconds'
      ELSE w.last_seen_at > now() - interval '2 minutes' END;
COMMENT ON VIEW workers_alive IS 'The workers that run, each with its heartbeat.';

