-- Whether a write was committed whose answer was lost: looked up, not guessed.

CREATE TABLE last_writes (
    boot_id bigint  NOT NULL,
    writer  integer NOT NULL,
    write   bigint  NOT NULL,
    results jsonb,
    PRIMARY KEY (boot_id, writer)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE last_writes IS 'The last committed write of each connection of a worker, and what it answered: where the answer is lost, the worker looks here.';

-- A write that is still running holds this, also one whose connection is long gone; whoever looks waits for its end.
CREATE FUNCTION lock_write(boot bigint, writer bigint) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ':write:' || boot || ':' || writer, 0))
$$;
COMMENT ON FUNCTION lock_write IS 'Internal: held by a write until its end.';

CREATE FUNCTION note_write(boot bigint, writer bigint, write bigint, results jsonb) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    INSERT INTO last_writes AS w (boot_id, writer, write, results) VALUES (boot, note_write.writer, note_write.write, note_write.results)
    ON CONFLICT (boot_id, writer) DO UPDATE SET write = excluded.write, results = excluded.results
$$;
COMMENT ON FUNCTION note_write IS 'Internal: remembers what a write answered.';

-- ingest and settle (m0006, m0007), with a number by which it can be looked up afterwards whether they were committed.
CREATE FUNCTION ingest_noted(
    boot bigint, job_ids bigint[], job_claims bigint[], job_documents bigint[],
    ids text[], sources text[], transcripts text[], observed text[], asked text[],
    request_ids text[], etags text[], api_versions text[], notes text[],
    wanted text[], force boolean, writer bigint, write bigint)
    RETURNS TABLE (document bigint, outcome text, cause text, missing text, withheld text, lost text)
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    answer jsonb;
BEGIN
    PERFORM lock_write(boot, writer);
    SELECT jsonb_agg(i) INTO answer
    FROM ingest(boot, job_ids, job_claims, job_documents, ids, sources, transcripts, observed, asked, request_ids, etags, api_versions,
                notes, wanted, force) AS i;
    PERFORM note_write(boot, writer, write, answer);
    RETURN QUERY SELECT * FROM written_documents(answer);
END $$;
COMMENT ON FUNCTION ingest_noted IS 'Internal: ingest, and a note of what it answered.';

CREATE FUNCTION settle_noted(
    boot bigint, job_ids bigint[], job_claims bigint[], actions text[], delays double precision[], looked boolean[], charged boolean[],
    engagement_ids text[], causes text[], errors text[], job_request_ids text[], marks text[], observed text[], writer bigint, write bigint)
    RETURNS TABLE (id bigint, superseded boolean)
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    answer jsonb;
BEGIN
    PERFORM lock_write(boot, writer);
    SELECT jsonb_agg(s) INTO answer
    FROM settle(boot, job_ids, job_claims, actions, delays, looked, charged, engagement_ids, causes, errors, job_request_ids, marks,
                observed) AS s;
    PERFORM note_write(boot, writer, write, answer);
    RETURN QUERY SELECT * FROM settled_jobs(answer);
END $$;
COMMENT ON FUNCTION settle_noted IS 'Internal: settle, and a note of what it answered.';

CREATE FUNCTION written_documents(answer jsonb)
    RETURNS TABLE (document bigint, outcome text, cause text, missing text, withheld text, lost text) LANGUAGE sql IMMUTABLE AS $$
    SELECT * FROM jsonb_to_recordset(answer) AS r(document bigint, outcome text, cause text, missing text, withheld text, lost text)
$$;
COMMENT ON FUNCTION written_documents IS 'Internal: the answer of ingest as rows.';

CREATE FUNCTION settled_jobs(answer jsonb) RETURNS TABLE (id bigint, superseded boolean) LANGUAGE sql IMMUTABLE AS $$
    SELECT * FROM jsonb_to_recordset(answer) AS r(id bigint, superseded boolean)
$$;
COMMENT ON FUNCTION settled_jobs IS 'Internal: the answer of settle as rows.';

-- True if that write was committed. Waits for its end if it is still running; afterwards it can come late only if it never
-- reached the server, and then the tokens of its jobs are gone.
CREATE FUNCTION find_write(boot bigint, writer bigint, write bigint) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM lock_write(boot, writer);
    RETURN EXISTS (SELECT FROM last_writes AS w
                   WHERE w.boot_id = boot AND w.writer = find_write.writer AND w.write = find_write.write);
END $$;
COMMENT ON FUNCTION find_write IS 'Internal: whether a write was committed.';

-- As in m0007; a worker that is forgotten takes its notes with it.
CREATE OR REPLACE FUNCTION reclaim(gone bigint[]) RETURNS TABLE (boot_id bigint, n bigint)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH dead AS MATERIALIZED (
        SELECT b.boot_id FROM unnest(gone) AS b(boot_id) WHERE pg_try_advisory_xact_lock(b.boot_id)
    ), theirs AS MATERIALIZED (
        SELECT q.id, q.leased_by FROM enrichment_queue AS q
        WHERE (CASE WHEN q.priority > 0 THEN 1 WHEN q.priority < 0 THEN -1 ELSE 0 END) IN (1, 0, -1)
          AND q.available_at > now() AND q.available_at <= now() + interval '11 minutes'
          AND q.leased_by IN (SELECT d.boot_id FROM dead AS d)
        ORDER BY q.id FOR UPDATE SKIP LOCKED
    ), given AS (
        UPDATE enrichment_queue AS q
        SET leased_by = NULL, available_at = least(coalesce(q.due_at, now()), now()), losses = coalesce(q.losses, 0) + 1
        FROM theirs WHERE q.id = theirs.id
        RETURNING theirs.leased_by
    ), forgotten AS (
        -- Not at once: a worker that lost all its connections for a moment is alive, and needs its row.
        DELETE FROM workers AS w USING dead WHERE w.boot_id = dead.boot_id AND w.last_seen_at < now() - interval '2 minutes'
        RETURNING w.boot_id
    ), notes AS (
        DELETE FROM last_writes AS n USING forgotten AS f WHERE n.boot_id = f.boot_id
    )
    SELECT d.boot_id, count(g.leased_by) FROM dead AS d LEFT JOIN given AS g ON g.leased_by = d.boot_id GROUP BY d.boot_id;
END $$;
