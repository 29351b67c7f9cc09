-- For how long things are kept.

-- The outbox is there only if somebody wanted it (migrate --with-outbox). True when there may be more.
CREATE FUNCTION prune_outbox(most bigint) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    n bigint;
BEGIN
    IF to_regclass('outbox') IS NULL THEN
        RETURN false;
    END IF;
    DELETE FROM outbox AS o USING (
        -- The first ones are the oldest; behind one that is young there is none that is old.
        SELECT p.tx, p._key, p.changed_at FROM outbox AS p ORDER BY p.tx, p._key LIMIT most FOR UPDATE SKIP LOCKED) AS old
    WHERE o.tx = old.tx AND o._key = old._key AND old.changed_at < now() - (SELECT c.outbox_kept FROM control AS c);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n = most;
END $$;
COMMENT ON FUNCTION prune_outbox IS 'Internal: deletes old rows of the outbox.';

-- Transcripts that are not kept any more. What _parts says of them stays: a digest of what was there, so that the same one is not
-- taken for news.

CREATE TABLE upkeep (
    name        text PRIMARY KEY,
    finished_at timestamptz,
    _after      text NOT NULL DEFAULT ''
);
COMMENT ON TABLE upkeep IS 'What is done now and then, in slices, by one worker at a time.';
COMMENT ON COLUMN upkeep.name IS 'transcripts: those that are not kept any more are dropped.';
COMMENT ON COLUMN upkeep.finished_at IS 'When it was done last; NULL: it is due.';
COMMENT ON COLUMN upkeep._after IS 'The last engagement of the slice before.';
INSERT INTO upkeep (name, finished_at) VALUES ('transcripts', now());

CREATE FUNCTION is_kept(e engagements, kept interval) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT kept IS NULL OR coalesce(coalesce(e.start_at, e.engagement_at, e.created_at) > now() - kept, true)
$$;
COMMENT ON FUNCTION is_kept IS 'Internal: whether the transcript of an engagement is kept.';

CREATE FUNCTION drop_transcripts(ids text[]) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    kept interval := (SELECT c.transcripts_kept FROM control AS c);
    n bigint;
BEGIN
    IF kept IS NULL THEN
        RETURN 0;
    END IF;
    WITH dropped AS (
        DELETE FROM engagement_transcripts AS t USING engagements AS e
        WHERE t.engagement_id = ANY (ids) AND e.id = t.engagement_id AND NOT is_kept(e, kept)
        RETURNING e.id
    )
    UPDATE engagements AS e SET _changed_at = now() WHERE e.id = ANY (ARRAY(SELECT d.id FROM dropped AS d));
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
COMMENT ON FUNCTION drop_transcripts IS 'Internal: drops those of these transcripts that are too old.';

-- A slice of all engagements, in the order of their ids; true when there may be more. Those that may be kept again are fetched like new
-- ones the next time: what _parts says of them goes.
CREATE FUNCTION retain_transcripts(most bigint) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    u upkeep;
    kept interval := (SELECT c.transcripts_kept FROM control AS c);
    ids text[];
BEGIN
    PERFORM lock_writing(false);
    SELECT * INTO u FROM upkeep AS o
    WHERE o.name = 'transcripts' AND (o._after <> '' OR o.finished_at IS NULL OR kept IS NOT NULL AND o.finished_at < now() - interval '6 hours')
    FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    ids := ARRAY(SELECT e.id FROM engagements AS e WHERE e.id > u._after ORDER BY e.id LIMIT most);
    PERFORM lock_engagements(ids);
    PERFORM drop_transcripts(ids);
    UPDATE engagements AS e SET _parts = e._parts #- '{transcript,d}', _etag = NULL, _etag_parts = NULL
    WHERE e.id = ANY (ids) AND e._parts #>> '{transcript,d}' <> digest('') AND is_kept(e, kept)
      AND NOT EXISTS (SELECT FROM engagement_transcripts AS t WHERE t.engagement_id = e.id);
    UPDATE upkeep AS o SET _after = coalesce(ids[most], ''), finished_at = CASE WHEN ids[most] IS NULL THEN now() ELSE o.finished_at END
    WHERE o.name = u.name;
    RETURN ids[most] IS NOT NULL;
END $$;
COMMENT ON FUNCTION retain_transcripts IS 'Internal: drops transcripts that are too old, in slices.';

-- A new age is for all: a round begins at once.
CREATE FUNCTION keep_transcripts(kept_s double precision) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE control AS c SET transcripts_kept = make_interval(secs => kept_s)
    WHERE c.transcripts_kept IS DISTINCT FROM make_interval(secs => kept_s);
    IF FOUND THEN
        UPDATE upkeep AS o SET finished_at = NULL, _after = '' WHERE o.name = 'transcripts';
    END IF;
END $$;
COMMENT ON FUNCTION keep_transcripts IS 'Internal: sets for how long transcripts are kept.';
