-- What hundreds of deaths, hours of somebody's open transaction and clocks that are set back showed.

-- Suspects by the tens of thousands, and what is no loss.

-- By lane first, as claim_suspect takes them: each is found without sorting the others.
DROP INDEX enrichment_queue_suspects;
CREATE INDEX enrichment_queue_suspects
    ON enrichment_queue ((CASE WHEN priority > 0 THEN 1 WHEN priority < 0 THEN -1 ELSE 0 END) DESC, available_at, id)
    WHERE losses >= 2;

-- Whether a lease of another worker that ran out at that time tells of its death. Whoever was away from the database since then
-- cannot know: after an outage all leases may be over, and nobody died.
CREATE FUNCTION tells_of_death(boot bigint, lease_end timestamptz) RETURNS boolean LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT EXISTS (SELECT FROM pg_stat_get_activity(pg_backend_pid()) AS a WHERE a.backend_start < clock_timestamp() - interval '5 seconds')
           OR EXISTS (SELECT FROM workers AS w WHERE w.boot_id = boot AND w.started_at > lease_end)
$$;
COMMENT ON FUNCTION tells_of_death IS 'Internal: whether a lease that ran out is a loss.';

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
        FROM (SELECT q.id, q.available_at, coalesce(q.losses = 1 AND q.leased_by <> boot AND tells_of_death(boot, q.available_at), false) AS is_suspect
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
        losses = coalesce(q.losses, 0) + CASE WHEN q.leased_by <> boot AND tells_of_death(boot, q.available_at) THEN 1 ELSE 0 END
    FROM unnest(ids, keys) WITH ORDINALITY AS p(id, key, n)
    WHERE q.id = p.id
    RETURNING p.n, q.id, left(q.engagement_id, 100), left(q.reason, 100), q.claims, coalesce(q.attempts, 0), q.losses, coalesce(q.looks, 0),
              -- Both may be infinite, and now() minus that is an error.
              greatest(0, extract(epoch FROM at - CASE WHEN isfinite(q.due_at) THEN q.due_at WHEN isfinite(q.enqueued_at) THEN q.enqueued_at END) * 1000)::bigint,
              p.key::text, clock_timestamp()::text
$$;

-- Times of the rate limit that no worker set: the clock was set back, another server with a slower one took over.

-- Until when nobody sends, as far as it is to be believed: a 429 of the future was none. NULL: there is no pause.
CREATE FUNCTION pause_end(c credentials, at timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    -- Who waits looks again after an hour at the latest; beyond 'infinity' no interval can be told.
    SELECT CASE WHEN c.paused_until > at AND (c._limited_at IS NULL OR c._limited_at <= at) THEN least(c.paused_until, at + interval '1 hour') END
$$;
COMMENT ON FUNCTION pause_end IS 'Internal: until when nobody sends.';

-- As in m0010: of a limit of the future nothing is known.
CREATE OR REPLACE FUNCTION allowed_rate(c credentials, at timestamptz) RETURNS double precision LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT CASE WHEN at <= c.paused_until + interval '5 minutes' AND (c._limited_at IS NULL OR c._limited_at <= at) THEN
        greatest(1, least(c.request_rate, c._rate_before)) * rate_share(
            greatest(0, extract(epoch FROM at - c.paused_until))::double precision,
            CASE WHEN c._rate_before IS NULL THEN 0.92
                 WHEN c.request_rate < 0.97 * c._rate_before THEN 0.95
                 ELSE least(0.98, greatest(0.9, c._held_s / (c._held_s + extract(epoch FROM c.paused_until - c._limited_at)::double precision))) END,
            c._is_measured) END
$$;

-- As in m0010: the first 429 after one of the future is an event of its own.
CREATE OR REPLACE FUNCTION meet_limit(credential text, boot bigint, retry_s double precision, sent_ago_s double precision, accepted bigint)
    RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    at timestamptz := clock_timestamp();
    c credentials;
    allowed double precision;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO credentials (name) VALUES (credential) ON CONFLICT DO NOTHING;
    SELECT * INTO c FROM credentials WHERE name = credential FOR UPDATE;
    at := greatest(at, clock_timestamp());
    IF c.paused_until IS NULL OR c._limited_at > at OR at - make_interval(secs => sent_ago_s) >= c.paused_until THEN
        allowed := allowed_rate(c, at);
        UPDATE credentials SET
            request_rate = accepted, _rate_before = allowed, _limited_at = at, paused_until = at + make_interval(secs => retry_s),
            _held_s = greatest(0, extract(epoch FROM at - c.paused_until)),
            _is_measured = allowed IS NOT NULL AND (c._is_measured OR coalesce(at - c._busy_since >= interval '1 second', false)),
            _counted_by = ARRAY[boot], _turn_at = at + make_interval(secs => retry_s), _busy_since = NULL
        WHERE name = credential;
    ELSE
        UPDATE credentials SET
            paused_until = greatest(paused_until, at + make_interval(secs => retry_s)),
            _turn_at = greatest(_turn_at, paused_until, at + make_interval(secs => retry_s)),
            request_rate = request_rate + CASE WHEN boot = ANY (_counted_by) THEN 0 ELSE accepted END,
            _counted_by = CASE WHEN accepted = 0 OR boot = ANY (_counted_by) THEN _counted_by ELSE _counted_by || boot END
        WHERE name = credential;
    END IF;
END $$;

-- As in m0010; a turn that no worker can have taken is none.
CREATE OR REPLACE FUNCTION take_turns(credential text, cap double precision)
    RETURNS TABLE (turns bigint, wait_s double precision, step_s double precision, limited_ago_s double precision)
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    at timestamptz;
    c credentials;
    rate double precision;
    start timestamptz;
    is_limited boolean;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO credentials (name) VALUES (credential) ON CONFLICT DO NOTHING;
    SELECT * INTO c FROM credentials WHERE name = credential FOR UPDATE;
    at := clock_timestamp();
    rate := allowed_rate(c, at);
    is_limited := rate IS NOT NULL;
    -- A rate that nothing met for minutes grows beyond reason; least() passes over NULL.
    rate := least(rate, cap, CASE WHEN is_limited THEN 100000 END);
    limited_ago_s := CASE WHEN is_limited THEN extract(epoch FROM at - c._limited_at) END;
    IF is_limited AND pause_end(c, at) IS NOT NULL THEN
        RETURN QUERY SELECT 0::bigint, extract(epoch FROM pause_end(c, at) - at)::double precision, 1 / rate, limited_ago_s;
    ELSIF rate IS NULL THEN
        RETURN QUERY SELECT 0::bigint, 0::double precision, NULL::double precision, limited_ago_s;
    ELSE
        -- What was not used is lost but for 50 ms: no burst after a silence. Nobody takes more than 50 ms of it, or one turn.
        start := greatest(at - interval '50 milliseconds',
                          CASE WHEN c._turn_at <= at + make_interval(secs => greatest(60, 200 / rate)) THEN c._turn_at END);
        turns := greatest(1, floor(rate * 0.05));
        UPDATE credentials SET
            _turn_at = start + make_interval(secs => turns / rate),
            _busy_since = CASE WHEN c._turn_at >= at - make_interval(secs => 1 / rate) THEN coalesce(c._busy_since, at) ELSE at END
        WHERE name = credential;
        RETURN QUERY SELECT turns, extract(epoch FROM start - at)::double precision, 1 / rate, limited_ago_s;
    END IF;
END $$;

-- As in m0010, with the same.
CREATE OR REPLACE FUNCTION take_trial(credential text) RETURNS double precision LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    at timestamptz;
    next_at timestamptz;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO credentials (name) VALUES (credential) ON CONFLICT DO NOTHING;
    SELECT _trial_at INTO next_at FROM credentials WHERE name = credential FOR UPDATE;
    at := clock_timestamp();
    IF next_at > at AND next_at <= at + interval '1 second' THEN
        RETURN extract(epoch FROM next_at - at);
    END IF;
    UPDATE credentials SET _trial_at = at + interval '1 second' WHERE name = credential;
    RETURN 0;
END $$;

-- A row that each write of a worker updates grows a chain of dead versions while anybody keeps a transaction open, and each
-- write walks it. A row for each write, and the one before it deleted by its exact number, has no chain.

ALTER TABLE last_writes DROP CONSTRAINT last_writes_pkey, ADD PRIMARY KEY (boot_id, writer, write), RESET (fillfactor);

-- As in m0012. The numbers of a writer follow one another; those whose answer was lost may leave a gap. Those of an older
-- worker are random.
CREATE OR REPLACE FUNCTION note_write(boot bigint, writer bigint, write bigint, results jsonb) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    DELETE FROM last_writes AS w
    WHERE w.boot_id = boot AND w.writer = note_write.writer AND w.write <> note_write.write
      AND w.write >= CASE WHEN note_write.write BETWEEN 1 AND 1000000000000 THEN note_write.write - 10 ELSE -9223372036854775808 END;
    INSERT INTO last_writes (boot_id, writer, write, results) VALUES (boot, note_write.writer, note_write.write, note_write.results)
$$;
