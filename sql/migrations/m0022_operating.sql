-- For those who operate it: how each worker is, and how the last days went.

ALTER TABLE workers ADD COLUMN heartbeat jsonb, ADD COLUMN heartbeat_at timestamptz;
COMMENT ON COLUMN workers.heartbeat IS 'The fields of worker.heartbeat as the worker saw them last, each 10 s.';
COMMENT ON COLUMN workers.heartbeat_at IS 'When that was.';

ALTER TABLE control ADD COLUMN activity_kept interval NOT NULL DEFAULT '8 days';
COMMENT ON COLUMN control.activity_kept IS 'For how long activity_minutes and queue_minutes are kept.';

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

-- A worker of this host that is gone holds no lock any more; of one behind a pooler only its last sign of life is known.
CREATE VIEW workers_alive AS
SELECT w.boot_id, w.host, w.pid, w.version, w.started_at, w.last_seen_at, w.heartbeat, w.heartbeat_at
FROM workers AS w
WHERE w.last_seen_at > now() - interval '11 minutes'
  AND CASE WHEN w._holds_lock
      THEN EXISTS (SELECT FROM pg_locks AS l
                   WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
                     AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                     AND (l.classid::bigint << 32) | l.objid::bigint = w.boot_id)
           -- After an outage all have to come back first.
           OR w.last_seen_at > now() - interval '5 seconds'
      ELSE w.last_seen_at > now() - interval '2 minutes' END;
COMMENT ON VIEW workers_alive IS 'The workers that run, each with its heartbeat.';

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
-- to a million since would be read whole.
CREATE FUNCTION queue_lanes() RETURNS TABLE (lane text, due bigint, oldest_due_s double precision, in_hand bigint, waiting bigint)
    LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    RETURN QUERY
    SELECT l.name, d.n, d.age, h.held, h.free
    FROM (VALUES (1, 'first'), (0, 'normal'), (-1, 'background')) AS l(sign, name)
    CROSS JOIN LATERAL (
        SELECT count(*) AS n,
               max(extract(epoch FROM clock_timestamp() - CASE WHEN isfinite(q.at) THEN q.at WHEN isfinite(q.enqueued_at) THEN q.enqueued_at END))::double precision AS age
        -- now(), since clock_timestamp() is no condition for an index.
        FROM (SELECT coalesce(e.due_at, e.available_at) AS at, e.enqueued_at FROM enrichment_queue AS e
              WHERE (CASE WHEN e.priority > 0 THEN 1 WHEN e.priority < 0 THEN -1 ELSE 0 END) = l.sign AND e.available_at <= now()
              ORDER BY e.available_at LIMIT 10001) AS q) AS d
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE q.leased_by IS NOT NULL) AS held, count(*) FILTER (WHERE q.leased_by IS NULL) AS free
        FROM (SELECT e.leased_by FROM enrichment_queue AS e
              WHERE (CASE WHEN e.priority > 0 THEN 1 WHEN e.priority < 0 THEN -1 ELSE 0 END) = l.sign AND e.available_at > now()
              ORDER BY e.available_at LIMIT 10001) AS q) AS h;
END $$;
COMMENT ON FUNCTION queue_lanes IS 'The queue by lane: jobs that are due, the age of the oldest, those in hand and those that wait for their time. Counts stop at 10,001, so it is cheap on any queue.';

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

CREATE FUNCTION current_schema_objects() RETURNS TABLE (kind text, name text, digest text) LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    WITH ours AS (
        SELECT c.oid, c.relname::text AS name, c.relkind FROM pg_class AS c
        WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind IN ('r', 'p', 'v') AND obj_description(c.oid, 'pg_class') IS NOT NULL
    )
    SELECT CASE o.relkind WHEN 'v' THEN 'view' ELSE 'table' END, o.name, CASE o.relkind WHEN 'v' THEN md5(pg_get_viewdef(o.oid)) ELSE '' END FROM ours AS o
    UNION ALL
    SELECT 'column', o.name || '.' || a.attname, format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
    FROM ours AS o JOIN pg_attribute AS a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE o.relkind <> 'v'
    UNION ALL
    SELECT 'index', i.relname, CASE WHEN x.indisvalid THEN md5(regexp_replace(pg_get_indexdef(x.indexrelid), ' ON \S+ ', ' ')) ELSE 'invalid' END
    FROM ours AS o JOIN pg_index AS x ON x.indrelid = o.oid JOIN pg_class AS i ON i.oid = x.indexrelid
    UNION ALL
    SELECT 'trigger', o.name || '.' || t.tgname, t.tgenabled::text FROM ours AS o JOIN pg_trigger AS t ON t.tgrelid = o.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT 'function', p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', md5(coalesce(p.prosrc, '') || coalesce(p.proconfig::text, '') || p.prosecdef::text)
    FROM pg_proc AS p
    WHERE p.pronamespace = to_regnamespace(quote_ident(current_schema())) AND obj_description(p.oid, 'pg_proc') IS NOT NULL
$$;
COMMENT ON FUNCTION current_schema_objects IS 'Internal: the objects of the schema that have a comment, as ours do, and what they consist of.';

CREATE FUNCTION record_schema() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM schema_objects;
    INSERT INTO schema_objects (kind, name, digest) SELECT c.kind, c.name, c.digest FROM current_schema_objects() AS c;
END $$;
COMMENT ON FUNCTION record_schema IS 'Internal: remembers the schema as it is, at the end of a migration.';

-- What each column is, for \d+ in psql and for sql/TABLES.md.
DO $$
DECLARE
    c record;
BEGIN
    FOR c IN
        SELECT n.relation, n.name, n.text FROM jsonb_to_recordset($comments$[
        {"relation": "activity_minutes", "name": "minute", "text": "Its beginning."},
        {"relation": "activity_minutes", "name": "boot_id", "text": "The worker, as workers.boot_id."},
        {"relation": "activity_minutes", "name": "outcome", "text": "As outcome in the log."},
        {"relation": "activity_minutes", "name": "requests", "text": "Requests to the API."},
        {"relation": "activity_minutes", "name": "slowest_engagement_id", "text": "The slowest of them."},
        {"relation": "control", "name": "singleton", "text": "There is one row."},
        {"relation": "control", "name": "paused", "text": "Nothing is claimed."},
        {"relation": "control", "name": "paused_by", "text": "Who paused it, as they said."},
        {"relation": "control", "name": "paused_since", "text": "Since when."},
        {"relation": "coverage_by_part", "name": "part", "text": "The API's expand name."},
        {"relation": "coverage_by_part", "name": "engagements", "text": "Engagements that can be read."},
        {"relation": "coverage_by_part", "name": "complete", "text": "The part is here as the source last showed it."},
        {"relation": "coverage_by_part", "name": "scope_denied", "text": "The credential may not read it."},
        {"relation": "coverage_by_part", "name": "not_delivered", "text": "It was asked for and not in the answer."},
        {"relation": "coverage_by_part", "name": "not_ready", "text": "The source has it not ready."},
        {"relation": "coverage_by_part", "name": "malformed", "text": "It came in a form that cannot be read."},
        {"relation": "coverage_by_part", "name": "not_asked", "text": "It was never asked for."},
        {"relation": "credentials", "name": "name", "text": "As --credential-name."},
        {"relation": "credentials", "name": "fingerprint", "text": "A keyed hash of the token, never the token."},
        {"relation": "credentials", "name": "first_seen_at", "text": "When a worker used the token first."},
        {"relation": "credentials", "name": "last_seen_at", "text": "When a worker used it last."},
        {"relation": "crm_associations", "name": "id", "text": "Of the period."},
        {"relation": "crm_associations", "name": "subject_type", "text": "engagement, company or contact."},
        {"relation": "crm_associations", "name": "subject_id", "text": "Which one."},
        {"relation": "crm_associations", "name": "source", "text": "The CRM, as the API says."},
        {"relation": "crm_associations", "name": "object_type", "text": "deal, contact, company and the like, as the API says."},
        {"relation": "crm_associations", "name": "crm_object_id", "text": "The object's id in the CRM."},
        {"relation": "crm_associations", "name": "first_seen_at", "text": "When the link was seen first."},
        {"relation": "crm_associations", "name": "removed_at", "text": "When its subject was first seen without it; NULL: it is there."},
        {"relation": "dead_letters", "name": "error", "text": "What the last failure was. Never holds data of the engagement."},
        {"relation": "dead_letters", "name": "request_id", "text": "Under which the vendor finds the last request."},
        {"relation": "dead_letters", "name": "first_at", "text": "When the id died first."},
        {"relation": "dead_letters", "name": "last_at", "text": "When it died last."},
        {"relation": "dead_letters", "name": "queue_id", "text": "The last queue row."},
        {"relation": "dead_letters", "name": "reason", "text": "The job's."},
        {"relation": "dead_letters", "name": "priority", "text": "The job's."},
        {"relation": "dead_letters", "name": "enqueued_at", "text": "The job's."},
        {"relation": "dead_letters", "name": "due_at", "text": "The job's."},
        {"relation": "dead_letters", "name": "claims", "text": "The job's."},
        {"relation": "dead_letters", "name": "attempts", "text": "The job's."},
        {"relation": "dead_letters", "name": "losses", "text": "The job's."},
        {"relation": "dead_letters", "name": "looks", "text": "The job's."},
        {"relation": "engagement_changes", "name": "changed_at", "text": "The time of the write that changed the engagement, a child, link, gap or tombstone of it."},
        {"relation": "engagement_changes", "name": "is_gone", "text": "It is deleted at the source, or purged here."},
        {"relation": "engagement_companies", "name": "engagement_id", "text": "Whose."},
        {"relation": "engagement_companies", "name": "company_id", "text": "As companies.id."},
        {"relation": "engagement_contacts", "name": "engagement_id", "text": "Whose."},
        {"relation": "engagement_contacts", "name": "contact_id", "text": "As contacts.id."},
        {"relation": "engagement_tags", "name": "engagement_id", "text": "Whose."},
        {"relation": "engagement_tags", "name": "tag_id", "text": "As tags.id."},
        {"relation": "engagement_crm_links", "name": "engagement_id", "text": "Whose."},
        {"relation": "engagement_crm_links", "name": "path", "text": "engagement, company or contact: by which the link comes."},
        {"relation": "engagement_crm_links", "name": "subject_id", "text": "The engagement, company or contact."},
        {"relation": "engagement_crm_links", "name": "source", "text": "The CRM."},
        {"relation": "engagement_crm_links", "name": "object_type", "text": "As the API says."},
        {"relation": "engagement_crm_links", "name": "crm_object_id", "text": "Verbatim."},
        {"relation": "engagement_crm_links", "name": "crm_object_key", "text": "For joins: Salesforce ids of 18 characters are cut to 15."},
        {"relation": "engagement_crm_links", "name": "first_seen_at", "text": "When the link was seen first."},
        {"relation": "engagement_crm_links", "name": "as_of", "text": "When the subject was last seen to have changed."},
        {"relation": "engagement_gaps", "name": "engagement_id", "text": "Whose."},
        {"relation": "engagement_gaps", "name": "part", "text": "The API's expand name."},
        {"relation": "engagement_gaps", "name": "since", "text": "Since when it is missing."},
        {"relation": "engagement_gaps", "name": "request_id", "text": "Under which the vendor finds the request."},
        {"relation": "engagement_media", "name": "engagement_id", "text": "Whose."},
        {"relation": "engagement_media", "name": "media_url", "text": "Signed by the source, for a time; cleared after --media-url-ttl."},
        {"relation": "engagement_media", "name": "obtained_at", "text": "When it was given."},
        {"relation": "engagement_transcripts", "name": "engagement_id", "text": "Whose."},
        {"relation": "engagement_transcripts", "name": "transcript", "text": "Its text."},
        {"relation": "engagements_live", "name": "occurred_at", "text": "start_at, else engagement_at, else created_at."},
        {"relation": "engagements_live", "name": "owner_first_name", "text": "Of the owner."},
        {"relation": "engagements_live", "name": "owner_last_name", "text": "Of the owner."},
        {"relation": "engagements_live", "name": "owner_email", "text": "Of the owner."},
        {"relation": "engagements_live", "name": "host_first_name", "text": "Of the host."},
        {"relation": "engagements_live", "name": "host_last_name", "text": "Of the host."},
        {"relation": "engagements_live", "name": "host_email", "text": "Of the host."},
        {"relation": "engagements_live", "name": "is_complete", "text": "No wanted part is missing."},
        {"relation": "engagements_live", "name": "missing_parts", "text": "Those that are."},
        {"relation": "engagements_live", "name": "_observed_at", "text": "The database's clock just before the newest request."},
        {"relation": "engagements_live", "name": "_changed_at", "text": "When a write last changed it."},
        {"relation": "enrichment_queue", "name": "id", "text": "Of the job."},
        {"relation": "enrichment_queue", "name": "enqueued_at", "text": "When it was inserted."},
        {"relation": "entity_changes", "name": "entity_id", "text": "A contact, company or tag."},
        {"relation": "entity_changes", "name": "changed_at", "text": "When a webhook told of it."},
        {"relation": "freshness", "name": "part", "text": "The API's expand name, or engagement."},
        {"relation": "freshness", "name": "engagements", "text": "How many have it."},
        {"relation": "freshness", "name": "age_p50", "text": "Half were seen at the source within that time."},
        {"relation": "freshness", "name": "age_p95", "text": "95 percent were."},
        {"relation": "freshness", "name": "age_max", "text": "The oldest."},
        {"relation": "last_writes", "name": "boot_id", "text": "The worker."},
        {"relation": "last_writes", "name": "writer", "text": "Its connection."},
        {"relation": "last_writes", "name": "write", "text": "The number of the write."},
        {"relation": "last_writes", "name": "results", "text": "What it answered."},
        {"relation": "list_walks", "name": "started_at", "text": "When it began."},
        {"relation": "list_walks", "name": "pages", "text": "Pages read."},
        {"relation": "missing_parts", "name": "engagement_id", "text": "Whose."},
        {"relation": "missing_parts", "name": "part", "text": "The API's expand name; NULL: nothing of it is here."},
        {"relation": "missing_parts", "name": "cause", "text": "Why."},
        {"relation": "missing_parts", "name": "scope", "text": "What to ask for."},
        {"relation": "missing_parts", "name": "since", "text": "Since when."},
        {"relation": "missing_parts", "name": "last_delivered_at", "text": "From when the stored content is; NULL: there is none."},
        {"relation": "missing_parts", "name": "explanation", "text": "All of this as a sentence, with what to do."},
        {"relation": "purge_needles", "name": "began_at", "text": "When the purge began."},
        {"relation": "queue_health", "name": "due", "text": "Jobs that are due, of the normal lane and above."},
        {"relation": "queue_health", "name": "oldest_due_s", "text": "The age of the oldest of them."},
        {"relation": "queue_health", "name": "background_due", "text": "Those in the background."},
        {"relation": "queue_health", "name": "waiting", "text": "Jobs that wait for their time."},
        {"relation": "queue_health", "name": "leased", "text": "In hand."},
        {"relation": "queue_health", "name": "dead_letters", "text": "How many there are."},
        {"relation": "queue_health", "name": "workers", "text": "Seen within the last two minutes."},
        {"relation": "queue_health", "name": "paused", "text": "Somebody has paused them."},
        {"relation": "queue_minutes", "name": "minute", "text": "Its beginning."},
        {"relation": "queue_minutes", "name": "due", "text": "The most jobs that were due."},
        {"relation": "queue_minutes", "name": "background_due", "text": "The most in the background."},
        {"relation": "queue_minutes", "name": "waiting", "text": "The most that waited for their time."},
        {"relation": "schema_migrations", "name": "version", "text": "Its number."},
        {"relation": "schema_migrations", "name": "name", "text": "Its name."},
        {"relation": "schema_migrations", "name": "checksum", "text": "Of its text."},
        {"relation": "schema_migrations", "name": "applied_at", "text": "When."},
        {"relation": "schema_migrations", "name": "binary_version", "text": "By which engagement-worker; sql: by psql."},
        {"relation": "schema_objects", "name": "kind", "text": "table, column, index, trigger, function or view."},
        {"relation": "schema_objects", "name": "name", "text": "Its name."},
        {"relation": "schema_objects", "name": "digest", "text": "Of what it consists of."},
        {"relation": "scope_denials", "name": "credential_name", "text": "Whose."},
        {"relation": "scope_denials", "name": "part", "text": "The API's expand name."},
        {"relation": "scope_denials", "name": "scope", "text": "What to ask for; NULL: no page names it."},
        {"relation": "scope_denials", "name": "first_seen_at", "text": "When it was found out."},
        {"relation": "scope_denials", "name": "last_seen_at", "text": "When it was last refused."},
        {"relation": "scope_grants", "name": "credential_name", "text": "Whose."},
        {"relation": "scope_grants", "name": "part", "text": "The API's expand name."},
        {"relation": "scope_grants", "name": "granted_at", "text": "When it arrived after it had been missing."},
        {"relation": "status_hourly", "name": "hour", "text": "Its beginning."},
        {"relation": "status_hourly", "name": "done", "text": "Jobs that ended with rows, or nothing to do."},
        {"relation": "status_hourly", "name": "retried", "text": "Failures that were charged."},
        {"relation": "status_hourly", "name": "released", "text": "Jobs that were put off, uncharged."},
        {"relation": "status_hourly", "name": "dead", "text": "Dead letters."},
        {"relation": "status_hourly", "name": "requests", "text": "Requests to the API."},
        {"relation": "status_hourly", "name": "wait_ms_avg", "text": "How long jobs waited since they were due, on average."},
        {"relation": "status_hourly", "name": "run_ms_avg", "text": "How long they took, on average."},
        {"relation": "status_hourly", "name": "oldest_due_s", "text": "The worst age of the queue."},
        {"relation": "status_hourly", "name": "due", "text": "The most jobs that were due."},
        {"relation": "suppressions", "name": "purged_at", "text": "When."},
        {"relation": "webhook_events", "name": "id", "text": "Of the row."},
        {"relation": "webhook_events", "name": "type", "text": "As the source names it."},
        {"relation": "webhook_events", "name": "workspace_id", "text": "As the source says."},
        {"relation": "webhook_events", "name": "received_at", "text": "When it was taken."},
        {"relation": "workers", "name": "host", "text": "Its host."},
        {"relation": "workers", "name": "pid", "text": "Its process."},
        {"relation": "workers", "name": "version", "text": "Of its binary."},
        {"relation": "workers", "name": "started_at", "text": "When it started."},
        {"relation": "workers", "name": "last_seen_at", "text": "Its last sign of life."},
        {"relation": "workers_alive", "name": "boot_id", "text": "As in the log, there in hexadecimal."},
        {"relation": "workers_alive", "name": "host", "text": "Its host."},
        {"relation": "workers_alive", "name": "pid", "text": "Its process."},
        {"relation": "workers_alive", "name": "version", "text": "Of its binary."},
        {"relation": "workers_alive", "name": "started_at", "text": "When it started."},
        {"relation": "workers_alive", "name": "last_seen_at", "text": "Its last sign of life."},
        {"relation": "workers_alive", "name": "heartbeat", "text": "As in workers."},
        {"relation": "workers_alive", "name": "heartbeat_at", "text": "When that was."},
        {"relation": "engagement_action_items", "name": "engagement_id", "text": "Whose."},
        {"relation": "engagement_signals", "name": "engagement_id", "text": "Whose."}
        ]$comments$) AS n(relation text, name text, text text)
        UNION ALL
        -- The rest of what was fetched.
        SELECT r.relname, a.attname, 'The API''s field of that name.' FROM pg_class AS r JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE r.oid = ANY (ARRAY['engagements', 'engagements_live', 'companies', 'contacts', 'users', 'tags', 'engagement_action_items', 'engagement_signals']::regclass[])
          AND a.attname NOT LIKE '\_%' AND col_description(r.oid, a.attnum) IS NULL
          AND a.attname <> ALL (ARRAY['engagement_id', 'occurred_at', 'owner_first_name', 'owner_last_name', 'owner_email', 'host_first_name', 'host_last_name', 'host_email', 'is_complete', 'missing_parts'])
    LOOP
        EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', c.relation, c.name, c.text);
    END LOOP;
END $$;
