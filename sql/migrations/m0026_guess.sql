-- As in m0010. Where much less went well than was allowed, the requests may have been few, or hung, when the 429 came: that is no
-- measure of the limit but a guess, and grows faster. Kept for a measure, it held workers at a few requests a second for minutes.
CREATE OR REPLACE FUNCTION allowed_rate(c credentials, at timestamptz) RETURNS double precision LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT CASE WHEN at <= c.paused_until + interval '5 minutes' THEN
        greatest(1, least(c.request_rate, c._rate_before)) * rate_share(
            greatest(0, extract(epoch FROM at - c.paused_until))::double precision,
            CASE WHEN c._rate_before IS NULL THEN 0.92
                 WHEN c.request_rate < 0.97 * c._rate_before THEN 0.95
                 ELSE least(0.98, greatest(0.9, c._held_s / (c._held_s + extract(epoch FROM c.paused_until - c._limited_at)::double precision))) END,
            c._is_measured AND coalesce(c.request_rate >= 0.5 * c._rate_before, true)) END
$$;
