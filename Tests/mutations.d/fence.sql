-- The fence is gone: whoever names a job completes it, whoever holds it.
-- expected: == "lease_lost"
DO $mutation$
DECLARE
    f record;
    fits boolean := false;
BEGIN
    FOR f IN SELECT pg_get_functiondef(p.oid) AS sound FROM pg_proc AS p
             WHERE p.pronamespace = current_schema()::regnamespace
               AND (strpos(p.prosrc, 'AND q.claims = t.claims AND q.leased_by = boot') > 0
                    OR strpos(p.prosrc, 'AND t.claims = g.claims') > 0) LOOP
        EXECUTE replace(replace(f.sound, 'AND q.claims = t.claims AND q.leased_by = boot', ''), 'AND t.claims = g.claims', '');
        fits := true;
    END LOOP;
    IF NOT fits THEN RAISE 'no function has what this changes'; END IF;
END $mutation$;
