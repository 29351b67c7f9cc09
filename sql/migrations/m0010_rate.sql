-- The API's rate limit, found and kept by all workers of a credential together.

ALTER TABLE credentials
    ADD COLUMN _rate_before  double precision,
    ADD COLUMN _limited_at   timestamptz,
    ADD COLUMN _held_s       double precision,
    ADD COLUMN _is_measured  boolean NOT NULL DEFAULT false,
    ADD COLUMN _counted_by   bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN _turn_at      timestamptz,
    ADD COLUMN _busy_since   timestamptz,
    ADD COLUMN _trial_at     timestamptz;
COMMENT ON COLUMN credentials.request_rate IS 'Requests that went well in the second before the last 429, of all workers: the rate limit, as far as it is known.';
COMMENT ON COLUMN credentials._rate_before IS 'The rate that was allowed when the last 429 came; NULL: there was no limit.';
COMMENT ON COLUMN credentials._limited_at IS 'When the last 429 came that was news.';
COMMENT ON COLUMN credentials._held_s IS 'How long requests had gone well before it, in seconds.';
COMMENT ON COLUMN credentials._is_measured IS 'The rate was met at an even pace for a second at least, so it is near the limit.';
COMMENT ON COLUMN credentials._counted_by IS 'The workers whose requests are in request_rate.';
COMMENT ON COLUMN credentials._turn_at IS 'When the next request of any worker may leave.';
COMMENT ON COLUMN credentials._busy_since IS 'Since when turns are taken without a gap.';
COMMENT ON COLUMN credentials._trial_at IS 'When any worker that found the API away may try it again.';

-- How much of the known rate is allowed so many seconds after the pause: cut at first, all of it after a minute, then slowly
-- more, since the limit may have risen. A rate that was not measured is a guess and grows faster.
-- These numbers came out of a simulation of token buckets and fixed windows, 20 to 400 requests/s, 1 and 3 workers, 5 to 100 ms.
CREATE FUNCTION rate_share(seconds double precision, cut double precision, measured boolean) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN NOT measured THEN cut * 1.25 ^ greatest(0, seconds - 1.2)
        WHEN seconds < 5 THEN cut + (1 - cut) * 0.12 * seconds
        WHEN seconds < 30 THEN cut + (1 - cut) * (0.6 + 0.01 * (seconds - 5))
        WHEN seconds < 60 THEN cut + (1 - cut) * (0.85 + 0.15 * (seconds - 30) / 30)
        ELSE 1.01 ^ (seconds - 60) END
$$;
COMMENT ON FUNCTION rate_share IS 'Internal: how much of the found rate is allowed, by the time since the last 429.';

-- Requests a second that all workers together may send; NULL: no limit is known, or none was met for five minutes.
--
-- A 429 at the very rate that was allowed is that of a token bucket, which filled up in the pause: the longer it lasted, the
-- nearer was the rate. Where less went well than was allowed, that is the limit.
CREATE FUNCTION allowed_rate(c credentials, at timestamptz) RETURNS double precision LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT CASE WHEN at <= c.paused_until + interval '5 minutes' THEN
        greatest(1, least(c.request_rate, c._rate_before)) * rate_share(
            greatest(0, extract(epoch FROM at - c.paused_until))::double precision,
            CASE WHEN c._rate_before IS NULL THEN 0.92
                 WHEN c.request_rate < 0.97 * c._rate_before THEN 0.95
                 ELSE least(0.98, greatest(0.9, c._held_s / (c._held_s + extract(epoch FROM c.paused_until - c._limited_at)::double precision))) END,
            c._is_measured) END
$$;
COMMENT ON FUNCTION allowed_rate IS 'Internal: the request rate that is allowed at that time.';

-- A 429: no worker sends before it is over. Whoever sent its request before knew of no pause, so it is the same event; each worker
-- adds once what of its own went well in the second before. One that only heard of the event does that with retry_s 0.
CREATE FUNCTION meet_limit(credential text, boot bigint, retry_s double precision, sent_ago_s double precision, accepted bigint)
    RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    at timestamptz := clock_timestamp();
    c credentials;
    allowed double precision;
BEGIN
    -- Lost in a crash it is found again; nobody waits for the disk.
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO credentials (name) VALUES (credential) ON CONFLICT DO NOTHING;
    SELECT * INTO c FROM credentials WHERE name = credential FOR UPDATE;
    at := greatest(at, clock_timestamp());
    IF c.paused_until IS NULL OR at - make_interval(secs => sent_ago_s) >= c.paused_until THEN
        allowed := allowed_rate(c, at);
        UPDATE credentials SET
            request_rate = accepted, _rate_before = allowed, _limited_at = at, paused_until = at + make_interval(secs => retry_s),
            _held_s = extract(epoch FROM at - c.paused_until),
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
COMMENT ON FUNCTION meet_limit IS 'Internal: the API answered 429.';

-- Leave for the next requests: so many turns, the first after wait_s, then one each step_s. No turns during a pause; step_s NULL:
-- no limit. All workers share one row of turns, so together they keep the rate, whoever of them has the work.
-- cap: requests a second at most, by configuration.
CREATE FUNCTION take_turns(credential text, cap double precision)
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
    rate := least(rate, cap);
    limited_ago_s := CASE WHEN is_limited THEN extract(epoch FROM at - c._limited_at) END;
    IF is_limited AND c.paused_until > at THEN
        RETURN QUERY SELECT 0::bigint, extract(epoch FROM c.paused_until - at)::double precision, 1 / rate, limited_ago_s;
    ELSIF rate IS NULL THEN
        RETURN QUERY SELECT 0::bigint, 0::double precision, NULL::double precision, limited_ago_s;
    ELSE
        -- What was not used is lost but for 50 ms: no burst after a silence. Nobody takes more than 50 ms of it.
        start := greatest(at - interval '50 milliseconds', c._turn_at);
        turns := greatest(1, floor(rate * 0.05));
        UPDATE credentials SET
            _turn_at = start + make_interval(secs => turns / rate),
            _busy_since = CASE WHEN c._turn_at >= at - make_interval(secs => 1 / rate) THEN coalesce(c._busy_since, at) ELSE at END
        WHERE name = credential;
        RETURN QUERY SELECT turns, extract(epoch FROM start - at)::double precision, 1 / rate, limited_ago_s;
    END IF;
END $$;
COMMENT ON FUNCTION take_turns IS 'Internal: leave to send under a rate limit.';

-- Leave to try an API that is away: for one of all workers a second. The seconds to wait; 0: try.
CREATE FUNCTION take_trial(credential text) RETURNS double precision LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    at timestamptz;
    next_at timestamptz;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO credentials (name) VALUES (credential) ON CONFLICT DO NOTHING;
    SELECT _trial_at INTO next_at FROM credentials WHERE name = credential FOR UPDATE;
    at := clock_timestamp();
    IF next_at > at THEN
        RETURN extract(epoch FROM next_at - at);
    END IF;
    UPDATE credentials SET _trial_at = at + interval '1 second' WHERE name = credential;
    RETURN 0;
END $$;
COMMENT ON FUNCTION take_trial IS 'Internal: leave to try an API that is away.';
