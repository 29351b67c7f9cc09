-- A job is charged when it is claimed, not when it fails.
-- expected: was charged at its claim
DO $mutation$
DECLARE
    f record;
    fits boolean := false;
BEGIN
    FOR f IN SELECT pg_get_functiondef(p.oid) AS sound FROM pg_proc AS p
             WHERE p.pronamespace = current_schema()::regnamespace AND strpos(p.prosrc, 'claims = coalesce(nullif(q.claims, 9223372036854775807), 0) + 1') > 0 LOOP
        EXECUTE replace(f.sound, 'claims = coalesce(nullif(q.claims, 9223372036854775807), 0) + 1',
            'claims = coalesce(nullif(q.claims, 9223372036854775807), 0) + 1, attempts = coalesce(q.attempts, 0) + 1');
        fits := true;
    END LOOP;
    IF NOT fits THEN RAISE 'no function has what this changes'; END IF;
END $mutation$;
