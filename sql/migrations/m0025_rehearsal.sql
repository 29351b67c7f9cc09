-- What a purge would delete: it is done, counted, and undone. Not what stands in other rows' texts; that takes all tables to be read.
CREATE FUNCTION rehearse_purge(kinds text[], purged text[]) RETURNS TABLE (kind text, n bigint)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET lock_timeout = '10s' AS $$
#variable_conflict use_column
DECLARE
    found record;
    counts jsonb := '{}';
BEGIN
    BEGIN
        -- What a purge that was broken off has still to do is not this one's.
        DELETE FROM purge_needles;
        PERFORM suppress(kinds, purged, 'rehearsal');
        FOR found IN SELECT t.kind, t.value FROM unnest(kinds, purged) AS t(kind, value) WHERE t.kind IN ('contact', 'email') LOOP
            PERFORM suppress(array_agg(p.kind), array_agg(p.value), 'rehearsal')
            FROM purgeable_persons(CASE found.kind WHEN 'contact' THEN found.value END, CASE found.kind WHEN 'email' THEN found.value END) AS p
            HAVING count(*) > 0;
        END LOOP;
        FOR found IN
            SELECT p.kind, p.n
            FROM purge_persons(ARRAY(SELECT d.needle FROM purge_needles AS d WHERE d.kind = 'contact'),
                               ARRAY(SELECT d.needle FROM purge_needles AS d WHERE d.kind = 'user')) AS p
        LOOP
            counts := counts || jsonb_build_object(found.kind, coalesce((counts ->> found.kind)::bigint, 0) + found.n);
        END LOOP;
        FOR found IN
            SELECT p.kind, p.n FROM purge_needles AS d CROSS JOIN LATERAL purge_engagement(d.needle) AS p WHERE d.kind = 'engagement'
        LOOP
            counts := counts || jsonb_build_object(found.kind, coalesce((counts ->> found.kind)::bigint, 0) + found.n);
        END LOOP;
        RAISE SQLSTATE 'EW001';
    EXCEPTION WHEN SQLSTATE 'EW001' THEN
        NULL;
    END;
    RETURN QUERY SELECT c.key, c.value::bigint FROM jsonb_each_text(counts) AS c WHERE c.value <> '0' ORDER BY 1;
END $$;
COMMENT ON FUNCTION rehearse_purge IS 'Internal: what a purge would delete.';
