-- Jobs whose worker died: who holds a job that died with two workers works on nothing else meanwhile, so that a job which kills
-- its worker is found without its neighbours.

COMMENT ON COLUMN enrichment_queue.losses IS 'How often a worker died, or fell silent until its lease was over, while it held the job. From two on it runs alone; five are a dead letter, poison.';

-- Hardly ever an entry.
CREATE INDEX enrichment_queue_suspects ON enrichment_queue (available_at, id) WHERE losses >= 2;

-- As in m0007, but suspects are left to claim_suspect. Those that lost five workers are taken with the others, since nothing is fetched
-- for them. A lease of another worker that ran out counts as a loss.
CREATE OR REPLACE FUNCTION claim(boot bigint, lease_seconds double precision, wanted bigint[], floor_at text[], floor_id bigint[])
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
                AND (q.losses IS NULL OR q.losses NOT BETWEEN 2 AND 4)
              ORDER BY q.available_at, q.id
              LIMIT wanted[k]
              FOR UPDATE SKIP LOCKED) AS p;
        CONTINUE WHEN ids IS NULL;
        RETURN QUERY SELECT 2 - k, l.* FROM lease(boot, lease_seconds, ids, keys, at) AS l;
    END LOOP;
END $$;
COMMENT ON FUNCTION claim IS 'Internal: leases due jobs to a worker.';

-- Leases these rows, which the caller has locked.
CREATE FUNCTION lease(boot bigint, lease_seconds double precision, ids bigint[], keys timestamptz[], at timestamptz)
    RETURNS TABLE (n bigint, id bigint, engagement_id text, reason text, claims bigint, attempts integer, losses integer,
                   looks integer, wait_ms bigint, key_at text, clock text)
    LANGUAGE sql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
    UPDATE enrichment_queue AS q
    SET available_at = clock_timestamp() + make_interval(secs => lease_seconds), leased_by = boot,
        claims = coalesce(q.claims, 0) + 1, due_at = coalesce(q.due_at, q.available_at),
        losses = coalesce(q.losses, 0) + CASE WHEN q.leased_by <> boot THEN 1 ELSE 0 END
    FROM unnest(ids, keys) WITH ORDINALITY AS p(id, key, n)
    WHERE q.id = p.id
    RETURNING p.n, q.id, left(q.engagement_id, 100), left(q.reason, 100), q.claims, coalesce(q.attempts, 0), q.losses, coalesce(q.looks, 0),
              -- Both may be infinite, and now() minus that is an error.
              greatest(0, extract(epoch FROM at - CASE WHEN isfinite(q.due_at) THEN q.due_at WHEN isfinite(q.enqueued_at) THEN q.enqueued_at END) * 1000)::bigint,
              p.key::text, clock_timestamp()::text
$$;
COMMENT ON FUNCTION lease IS 'Internal: leases rows that the caller has locked.';

-- One due job that has to run alone, the highest lane first.
CREATE FUNCTION claim_suspect(boot bigint, lease_seconds double precision)
    RETURNS TABLE (lane integer, n bigint, id bigint, engagement_id text, reason text, claims bigint, attempts integer, losses integer,
                   looks integer, wait_ms bigint, key_at text, clock text)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := clock_timestamp();
    suspect record;
BEGIN
    IF (SELECT paused FROM control) THEN
        RETURN;
    END IF;
    SELECT q.id, q.available_at, CASE WHEN q.priority > 0 THEN 1 WHEN q.priority < 0 THEN -1 ELSE 0 END AS lane INTO suspect
    FROM enrichment_queue AS q
    WHERE q.losses >= 2 AND q.losses < 5 AND q.available_at <= at
    ORDER BY 3 DESC, q.available_at, q.id LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF suspect.id IS NOT NULL THEN
        RETURN QUERY SELECT suspect.lane, l.* FROM lease(boot, lease_seconds, ARRAY[suspect.id], ARRAY[suspect.available_at], at) AS l;
    END IF;
END $$;
COMMENT ON FUNCTION claim_suspect IS 'Internal: leases a job that has to run alone.';
