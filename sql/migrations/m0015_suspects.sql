-- Suspects by the tens of thousands, as hundreds of deaths under load leave them; and what is no loss.

-- By lane first, as claim_suspect takes them: each is found without sorting the others.
DROP INDEX enrichment_queue_suspects;
CREATE INDEX enrichment_queue_suspects
    ON enrichment_queue ((CASE WHEN priority > 0 THEN 1 WHEN priority < 0 THEN -1 ELSE 0 END) DESC, available_at, id)
    WHERE losses >= 2;

-- Whoever was away from the database itself does not know whether another was silent because it died.
CREATE FUNCTION may_judge() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT clock_timestamp() - a.backend_start > interval '5 seconds' FROM pg_stat_get_activity(pg_backend_pid()) AS a
$$;
COMMENT ON FUNCTION may_judge IS 'Internal: this session is old enough to take a lease of another worker that ran out for its death.';

-- As in m0011, but a row that becomes a suspect by this is left to claim_suspect, too.
CREATE OR REPLACE FUNCTION claim(boot bigint, lease_seconds double precision, wanted bigint[], floor_at text[], floor_id bigint[])
    RETURNS TABLE (lane integer, n bigint, id bigint, engagement_id text, reason text, claims bigint, attempts integer, losses integer,
                   looks integer, wait_ms bigint, key_at text, clock text)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := clock_timestamp();
    ids bigint[];
    keys timestamptz[];
    suspects bigint[];
BEGIN
    IF (SELECT paused FROM control) THEN
        RETURN;
    END IF;
    FOR k IN 1..3 LOOP
        CONTINUE WHEN wanted[k] <= 0;
        SELECT array_agg(p.id) FILTER (WHERE NOT p.is_suspect), array_agg(p.available_at) FILTER (WHERE NOT p.is_suspect),
               array_agg(p.id) FILTER (WHERE p.is_suspect)
        INTO ids, keys, suspects
        FROM (SELECT q.id, q.available_at, coalesce(q.losses = 1 AND q.leased_by <> boot AND may_judge(), false) AS is_suspect
              FROM enrichment_queue AS q
              WHERE (CASE WHEN q.priority > 0 THEN 1 WHEN q.priority < 0 THEN -1 ELSE 0 END) = 2 - k
                AND (q.available_at, q.id) > (floor_at[k]::timestamptz, floor_id[k])
                AND q.available_at <= at
                AND (q.losses IS NULL OR q.losses NOT BETWEEN 2 AND 4)
              ORDER BY q.available_at, q.id
              LIMIT wanted[k]
              FOR UPDATE SKIP LOCKED) AS p;
        IF suspects IS NOT NULL THEN
            UPDATE enrichment_queue AS q SET losses = 2, leased_by = NULL WHERE q.id = ANY (suspects);
        END IF;
        CONTINUE WHEN ids IS NULL;
        RETURN QUERY SELECT 2 - k, l.* FROM lease(boot, lease_seconds, ids, keys, at) AS l;
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION lease(boot bigint, lease_seconds double precision, ids bigint[], keys timestamptz[], at timestamptz)
    RETURNS TABLE (n bigint, id bigint, engagement_id text, reason text, claims bigint, attempts integer, losses integer,
                   looks integer, wait_ms bigint, key_at text, clock text)
    LANGUAGE sql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
    UPDATE enrichment_queue AS q
    SET available_at = clock_timestamp() + make_interval(secs => lease_seconds), leased_by = boot,
        claims = coalesce(nullif(q.claims, 9223372036854775807), 0) + 1, due_at = coalesce(q.due_at, q.available_at),
        losses = coalesce(q.losses, 0) + CASE WHEN q.leased_by <> boot AND may_judge() THEN 1 ELSE 0 END
    FROM unnest(ids, keys) WITH ORDINALITY AS p(id, key, n)
    WHERE q.id = p.id
    RETURNING p.n, q.id, left(q.engagement_id, 100), left(q.reason, 100), q.claims, coalesce(q.attempts, 0), q.losses, coalesce(q.looks, 0),
              -- Both may be infinite, and now() minus that is an error.
              greatest(0, extract(epoch FROM at - CASE WHEN isfinite(q.due_at) THEN q.due_at WHEN isfinite(q.enqueued_at) THEN q.enqueued_at END) * 1000)::bigint,
              p.key::text, clock_timestamp()::text
$$;
