-- A part that an answer leaves out is read as an empty one.
-- expected: an absent part erased what was there
DO $mutation$
DECLARE
    f record;
    fits boolean := false;
BEGIN
    FOR f IN SELECT pg_get_functiondef(p.oid) AS sound FROM pg_proc AS p
             WHERE p.pronamespace = current_schema()::regnamespace AND strpos(p.prosrc, 'WHEN content IS NULL THEN ''not_delivered''') > 0 LOOP
        EXECUTE replace(f.sound, 'WHEN content IS NULL THEN ''not_delivered''', 'WHEN content IS NULL THEN ''delivered''');
        fits := true;
    END LOOP;
    IF NOT fits THEN RAISE 'no function has what this changes'; END IF;
END $mutation$;
