-- A part that an answer leaves out is read as an empty one.
DO $mutation$
DECLARE
    sound text := pg_get_functiondef('part_state'::regproc);
    broken text := replace(sound, 'WHEN content IS NULL THEN ''not_delivered''', 'WHEN content IS NULL THEN ''delivered''');
BEGIN
    IF broken = sound THEN RAISE 'the mutation no longer fits part_state'; END IF;
    EXECUTE broken;
END $mutation$;
