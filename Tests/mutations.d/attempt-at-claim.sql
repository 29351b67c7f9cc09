-- A job is charged when it is claimed, not when it fails.
DO $mutation$
DECLARE
    sound text := pg_get_functiondef('claim'::regproc);
    broken text := regexp_replace(sound, '(claims = coalesce\(q\.claims, 0\) \+ 1)', '\1, attempts = coalesce(q.attempts, 0) + 1');
BEGIN
    IF broken = sound THEN RAISE 'the mutation no longer fits claim'; END IF;
    EXECUTE broken;
END $mutation$;
