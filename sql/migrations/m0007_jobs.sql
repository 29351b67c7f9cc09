-- Claiming jobs, ending them without a document, and giving back those of workers that are gone.

-- Up to wanted[k] rows of lane k (1: above 0, 2: normal, 3: background) by age. Skips what others hold and waits for
-- nobody. It begins after the floor, the last key that the caller claimed: otherwise a transaction left open anywhere makes every
-- claim walk all finished rows, since vacuum may not remove them (from 32,000 down to 8,000 jobs/s in 100,000 jobs).
-- The lease is a visibility timeout by the database's clock.
CREATE FUNCTION claim(boot bigint, lease_seconds double precision, wanted bigint[], floor_at text[], floor_id bigint[])
    RETURNS TABLE (lane integer, n bigint, id bigint, engagement_id text, reason text, claims bigint, attempts integer, losses integer,
                   looks integer, wait_ms bigint, key_at text, clock text)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := clock_timestamp();
    ids bigint[];
    keys timestamptz[];
BEGIN
    IF (SELECT paused FROM control) THEN
        RETURN;
    END IF;
    FOR k IN 1..3 LOOP
        CONTINUE WHEN wanted[k] <= 0;
        SELECT array_agg(p.id), array_agg(p.available_at) INTO ids, keys
        FROM (SELECT q.id, q.available_at
              FROM enrichment_queue AS q
              WHERE (CASE WHEN q.priority > 0 THEN 1 WHEN q.priority < 0 THEN -1 ELSE 0 END) = 2 - k
                AND (q.available_at, q.id) > (floor_at[k]::timestamptz, floor_id[k])
                AND q.available_at <= at
              ORDER BY q.available_at, q.id
              LIMIT wanted[k]
              FOR UPDATE SKIP LOCKED) AS p;
        CONTINUE WHEN ids IS NULL;
        RETURN QUERY
        UPDATE enrichment_queue AS q
        SET available_at = clock_timestamp() + make_interval(secs => lease_seconds), leased_by = boot,
            claims = coalesce(q.claims, 0) + 1, due_at = coalesce(q.due_at, q.available_at)
        FROM unnest(ids, keys) WITH ORDINALITY AS p(id, key, n)
        WHERE q.id = p.id
        RETURNING 2 - k, p.n, q.id, left(q.engagement_id, 100), left(q.reason, 100), q.claims, coalesce(q.attempts, 0),
                  coalesce(q.losses, 0), coalesce(q.looks, 0),
                  -- Both may be infinite, and now() minus that is an error.
                  greatest(0, extract(epoch FROM at - CASE WHEN isfinite(q.due_at) THEN q.due_at WHEN isfinite(q.enqueued_at) THEN q.enqueued_at END) * 1000)::bigint,
                  p.key::text, clock_timestamp()::text;
    END LOOP;
END $$;
COMMENT ON FUNCTION claim IS 'Internal: leases due jobs to a worker.';

-- Ends jobs that brought no document, each in one way:
--   retry    back to the queue after a delay (charged: an attempt of the job's own)
--   release  back to the queue after a delay, uncharged; look counts it as a look
--   dead     a dead letter
--   deleted  the source says that the engagement is gone, and the job said so too: a tombstone
-- mark: unreadable sets _unreadable_since of an engagement that we hold; at observed.
-- Returns the ids whose token still held, and for deleted whether a newer observation refused the tombstone.
CREATE FUNCTION settle(
    boot bigint, job_ids bigint[], job_claims bigint[], actions text[], delays double precision[], looked boolean[], charged boolean[],
    engagement_ids text[], causes text[], errors text[], job_request_ids text[], marks text[], observed text[])
    RETURNS TABLE (id bigint, superseded boolean)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    held bigint[] := hold_jobs(boot, job_ids, job_claims);
    refused text[];
BEGIN
    -- In the order of ingest: queue rows, then engagements, then the rest.
    PERFORM lock_engagements(ARRAY(
        SELECT t.engagement_id FROM unnest(job_ids, actions, engagement_ids, marks) AS t(id, action, engagement_id, mark)
        WHERE t.id = ANY (held) AND t.engagement_id IS NOT NULL AND (t.action IN ('dead', 'deleted') OR t.mark IS NOT NULL)));

    UPDATE enrichment_queue AS q SET
        leased_by = NULL,
        -- What is given back at once keeps its place in the line.
        available_at = CASE WHEN t.delay > 0 THEN clock_timestamp() + make_interval(secs => t.delay)
                            ELSE least(coalesce(q.due_at, now()), now()) END,
        attempts = coalesce(q.attempts, 0) + CASE WHEN t.charged THEN 1 ELSE 0 END,
        looks = coalesce(q.looks, 0) + CASE WHEN t.looked THEN 1 ELSE 0 END,
        last_error = coalesce(t.error, t.cause, q.last_error)
    FROM unnest(job_ids, actions, delays, looked, charged, causes, errors) AS t(id, action, delay, looked, charged, cause, error)
    WHERE q.id = t.id AND q.id = ANY (held) AND t.action IN ('retry', 'release');

    WITH gone AS (
        DELETE FROM enrichment_queue AS q
        USING unnest(job_ids, actions, charged, causes, errors, job_request_ids, engagement_ids)
              AS t(id, action, charged, cause, error, request_id, engagement_id)
        WHERE q.id = t.id AND q.id = ANY (held) AND t.action IN ('dead', 'deleted')
        RETURNING q.*, t.action, t.charged, t.cause, t.error, t.request_id, coalesce(t.engagement_id, 'queue:' || q.id) AS key
    ), unseen AS (
        -- A look that died has none after it.
        UPDATE engagement_gaps AS o SET next_look_at = NULL FROM gone AS g
        WHERE g.action = 'dead' AND g.reason = 'not_ready' AND o.engagement_id = g.key AND o.part = 'transcript' AND o.next_look_at = g.due_at
    )
    INSERT INTO dead_letters AS d (key, engagement_id, cause, error, request_id, times, queue_id, reason, priority, enqueued_at, due_at,
                                   claims, attempts, losses, looks)
    SELECT DISTINCT ON (g.key) g.key, g.engagement_id, g.cause, g.error, g.request_id, count(*) OVER (PARTITION BY g.key), g.id,
           g.reason, g.priority, g.enqueued_at, g.due_at, g.claims, coalesce(g.attempts, 0) + CASE WHEN g.charged THEN 1 ELSE 0 END, g.losses, g.looks
    FROM gone AS g WHERE g.action = 'dead'
    ORDER BY g.key, g.id DESC
    ON CONFLICT (key) DO UPDATE SET
        cause = excluded.cause, error = excluded.error, request_id = excluded.request_id, times = d.times + excluded.times, last_at = now(),
        queue_id = excluded.queue_id, reason = excluded.reason, priority = excluded.priority, enqueued_at = excluded.enqueued_at,
        due_at = excluded.due_at, claims = excluded.claims, attempts = excluded.attempts, losses = excluded.losses, looks = excluded.looks,
        _replayed_for = NULL;

    refused := mark_engagements(held, job_ids, engagement_ids, marks, causes, observed);
    RETURN QUERY SELECT h.id, coalesce(t.engagement_id = ANY (refused), false)
    FROM unnest(held) AS h(id) JOIN unnest(job_ids, engagement_ids) AS t(id, engagement_id) ON t.id = h.id;
END $$;
COMMENT ON FUNCTION settle IS 'Internal: ends jobs that brought no document.';

-- Hidden or deleted at the source; settle holds the locks. What was observed before the stored answer changes nothing: those ids are returned.
CREATE FUNCTION mark_engagements(held bigint[], job_ids bigint[], engagement_ids text[], marks text[], causes text[], observed text[])
    RETURNS text[] LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    refused text[];
BEGIN
    IF num_nonnulls(VARIADIC marks) = 0 THEN
        RETURN '{}';
    END IF;

    UPDATE engagements AS e
    SET _unreadable_since = t.observed_at, _unreadable_cause = t.cause, _changed_at = now()
    FROM (SELECT engagement_id, max(cause) AS cause, max(observed::timestamptz) AS observed_at
          FROM unnest(job_ids, engagement_ids, marks, causes, observed) AS t(id, engagement_id, mark, cause, observed)
          WHERE t.id = ANY (held) AND t.mark = 'unreadable' GROUP BY engagement_id) AS t
    WHERE e.id = t.engagement_id AND e._observed_at <= t.observed_at AND e._deleted_at IS NULL
      AND (e._unreadable_since IS NULL OR e._unreadable_cause <> t.cause);

    WITH gone AS MATERIALIZED (
        SELECT engagement_id, max(observed::timestamptz) AS observed_at
        FROM unnest(job_ids, engagement_ids, marks, observed) AS t(id, engagement_id, mark, observed)
        WHERE t.id = ANY (held) AND t.mark = 'deleted' GROUP BY engagement_id
    ), tombstone AS (
        INSERT INTO engagements AS e (id, _observed_at, _deleted_at)
        SELECT engagement_id, observed_at, observed_at FROM gone ORDER BY engagement_id
        ON CONFLICT (id) DO UPDATE SET _deleted_at = excluded._deleted_at, _changed_at = now()
        WHERE e._observed_at <= excluded._deleted_at AND e._deleted_at IS NULL
        RETURNING e.id
    ), cleared AS (
        DELETE FROM dead_letters AS d USING gone WHERE d.key = gone.engagement_id
    ), filled AS (
        DELETE FROM engagement_gaps AS g USING tombstone WHERE g.engagement_id = tombstone.id
    )
    SELECT array_agg(g.engagement_id) INTO refused
    FROM gone AS g LEFT JOIN engagements AS e ON e.id = g.engagement_id
    WHERE e._observed_at > g.observed_at;
    IF 'deleted' = ANY (marks) THEN
        PERFORM drop_looks(ARRAY(
            SELECT t.engagement_id FROM unnest(job_ids, engagement_ids, marks) AS t(id, engagement_id, mark)
            WHERE t.id = ANY (held) AND t.mark = 'deleted' AND t.engagement_id <> ALL (coalesce(refused, '{}'))));
    END IF;
    RETURN coalesce(refused, '{}');
END $$;
COMMENT ON FUNCTION mark_engagements IS 'Internal: marks engagements as unreadable or deleted.';

-- Gives the jobs of workers back that are gone: nobody holds their lock any more. Their leases end within ten minutes at
-- most, so the claim's own index finds them.
CREATE FUNCTION reclaim(gone bigint[]) RETURNS TABLE (boot_id bigint, n bigint)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH dead AS MATERIALIZED (
        SELECT b.boot_id FROM unnest(gone) AS b(boot_id) WHERE pg_try_advisory_xact_lock(b.boot_id)
    ), theirs AS MATERIALIZED (
        SELECT q.id, q.leased_by FROM enrichment_queue AS q
        WHERE (CASE WHEN q.priority > 0 THEN 1 WHEN q.priority < 0 THEN -1 ELSE 0 END) IN (1, 0, -1)
          AND q.available_at > now() AND q.available_at <= now() + interval '11 minutes'
          AND q.leased_by IN (SELECT d.boot_id FROM dead AS d)
        ORDER BY q.id FOR UPDATE SKIP LOCKED
    ), given AS (
        UPDATE enrichment_queue AS q
        SET leased_by = NULL, available_at = least(coalesce(q.due_at, now()), now()), losses = coalesce(q.losses, 0) + 1
        FROM theirs WHERE q.id = theirs.id
        RETURNING theirs.leased_by
    ), forgotten AS (
        -- Not at once: a worker that lost all its connections for a moment is alive, and needs its row.
        DELETE FROM workers AS w USING dead WHERE w.boot_id = dead.boot_id AND w.last_seen_at < now() - interval '2 minutes'
    )
    SELECT d.boot_id, count(g.leased_by) FROM dead AS d LEFT JOIN given AS g ON g.leased_by = d.boot_id GROUP BY d.boot_id;
END $$;
COMMENT ON FUNCTION reclaim IS 'Internal: gives the jobs of dead workers back.';
