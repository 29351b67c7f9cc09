-- Times of the rate limit that no worker set: a clock that was set back, a failover to a slower one, a person's hand.

-- Until when nobody sends, as far as it is to be believed: a 429 of the future was none. NULL: there is no pause.
CREATE FUNCTION pause_end(c credentials, at timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    -- Who waits looks again after an hour at the latest; beyond 'infinity' no interval can be told.
    SELECT CASE WHEN c.paused_until > at AND (c._limited_at IS NULL OR c._limited_at <= at) THEN least(c.paused_until, at + interval '1 hour') END
$$;
COMMENT ON FUNCTION pause_end IS 'Internal: until when nobody sends.';

-- As in m0010. A rate that nothing limits any more does not grow beyond reason; a turn that no worker can have taken is none.
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
    rate := least(allowed_rate(c, at), 100000);
    is_limited := rate IS NOT NULL;
    rate := least(rate, cap);
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
