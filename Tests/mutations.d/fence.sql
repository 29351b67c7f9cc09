-- The fence is gone: whoever names a job completes it, whoever holds it.
DO $mutation$
DECLARE
    sound text := pg_get_functiondef('hold_jobs'::regproc);
    broken text := replace(sound, 'AND q.claims = t.claims AND q.leased_by = boot', '');
BEGIN
    IF broken = sound THEN RAISE 'the mutation no longer fits hold_jobs'; END IF;
    EXECUTE broken;
END $mutation$;
