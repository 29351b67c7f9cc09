-- ingest: what a worker calls with the documents of a batch. Fence, order, project, gaps.

-- Snapshots compare by updated_at, then by observation. A time further ahead than five minutes of its own observation
-- counts as absent, or one hostile value would win for ever; then the observation alone decides.
CREATE FUNCTION snapshot_version(updated_at timestamptz, observed_at timestamptz) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN updated_at <= observed_at + interval '5 minutes' THEN updated_at END
$$;
COMMENT ON FUNCTION snapshot_version IS 'Internal: the updated_at that a snapshot is compared by.';

CREATE FUNCTION is_newer(version timestamptz, observed_at timestamptz, stored_version timestamptz, stored_observed_at timestamptz)
    RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN stored_observed_at IS NULL THEN true
                WHEN version IS NULL OR stored_version IS NULL OR version = stored_version THEN observed_at >= stored_observed_at
                ELSE version > stored_version END
$$;
COMMENT ON FUNCTION is_newer IS 'Internal: whether a snapshot wins against the stored one.';

-- What became of a part that was asked for: delivered, none (a null transcript of a final engagement), or the cause of a gap.
-- Only a present list is an answer; a null list is not (API contract, U-9). The path is strict, since a lax one looks into
-- items that are lists themselves.
CREATE FUNCTION part_state(part text, content jsonb, processing_status text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN content IS NULL THEN 'not_delivered'
        WHEN part = 'owner' THEN CASE WHEN jsonb_typeof(content) IN ('object', 'null') THEN 'delivered' ELSE 'malformed' END
        WHEN part = 'media_url' THEN CASE WHEN jsonb_typeof(content) IN ('string', 'null') THEN 'delivered' ELSE 'malformed' END
        WHEN part = 'transcript' THEN CASE jsonb_typeof(content)
            WHEN 'string' THEN 'delivered'
            WHEN 'null' THEN CASE WHEN processing_status IN ('COMPLETED', 'FAILED') THEN 'none' ELSE 'not_ready' END
            ELSE 'malformed' END
        WHEN content = 'null' THEN 'not_delivered'
        WHEN jsonb_typeof(content) <> 'array' OR jsonb_path_exists(content, 'strict $[*] ? (@.type() != "object")', silent => true) THEN 'malformed'
        ELSE 'delivered'
    END
$$;
COMMENT ON FUNCTION part_state IS 'Internal: delivered, none, or why a part is missing.';

CREATE FUNCTION is_unfinished(processing_status text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(processing_status NOT IN ('COMPLETED', 'FAILED'), false)
$$;
COMMENT ON FUNCTION is_unfinished IS 'Internal: whether the source says that it has not finished; also in a word that we do not know.';

CREATE FUNCTION final_looks(done integer, looks integer) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT done + CASE WHEN looks > 0 THEN 1 ELSE 0 END
$$;
COMMENT ON FUNCTION final_looks IS 'Internal: looks since the final status, this one too; NULL when this answer is the first with it.';

CREATE FUNCTION part_scope(part text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE part WHEN 'companies' THEN 'companies:read' WHEN 'contacts' THEN 'contacts:read' WHEN 'owner' THEN 'users:read' END
$$;
COMMENT ON FUNCTION part_scope IS 'Internal: the scope that a part needs besides engagements:read, as far as any page names one.';

-- Orders all writers of an engagement, also the first ones: a row lock locks nothing while there is no row.
-- Always called before any row of engagements is touched, and in one order, so writers cannot deadlock here.
CREATE FUNCTION lock_engagements(ids text[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(k)
    FROM (SELECT DISTINCT hashtextextended(current_schema() || ':' || id, 0) AS k FROM unnest(ids) AS id ORDER BY 1) AS keys;
END $$;
COMMENT ON FUNCTION lock_engagements IS 'Internal: orders all writers of an engagement.';

-- Locks the queue rows whose whole token still holds, in id order, and tells which they are. A row that a person has locked
-- is waited for one second, then the call fails and the caller tries the others without it; the lease keeper's own locks
-- are over in milliseconds, which is why they are waited for and not passed over.
CREATE FUNCTION hold_jobs(boot bigint, job_ids bigint[], job_claims bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off SET lock_timeout = '1s' AS $$
DECLARE
    held bigint[];
BEGIN
    SELECT coalesce(array_agg(h.id), '{}') INTO held FROM (
        SELECT q.id FROM unnest(job_ids, job_claims) AS t(id, claims)
        JOIN enrichment_queue AS q ON q.id = t.id AND q.claims = t.claims AND q.leased_by = boot
        ORDER BY q.id FOR UPDATE OF q) AS h;
    RETURN held;
END $$;
COMMENT ON FUNCTION hold_jobs IS 'Internal: locks the jobs whose token still holds.';

-- Deletes the queue rows whose whole token still holds, and tells which they were and what they hung on; and of each
-- item which look of ours its jobs were (0: none) and their highest priority.
CREATE FUNCTION take_jobs(
    boot bigint, job_ids bigint[], job_claims bigint[], job_items bigint[],
    OUT taken bigint[], OUT items bigint[], OUT looks integer[], OUT priorities integer[])
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    held bigint[] := hold_jobs(boot, job_ids, job_claims);
BEGIN
    WITH gone AS (
        DELETE FROM enrichment_queue AS q USING unnest(job_ids, job_items) AS t(id, item)
        WHERE q.id = t.id AND q.id = ANY (held) RETURNING q.id, t.item, q.reason, q.looks, q.priority
    ), item AS (
        SELECT g.item, max(CASE WHEN g.reason = 'not_ready' AND g.looks > 0 THEN least(g.looks, 1000) ELSE 0 END) AS looks,
               max(coalesce(g.priority, 0)) AS priority
        FROM gone AS g GROUP BY g.item
    )
    SELECT coalesce((SELECT array_agg(g.id) FROM gone AS g), '{}'),
           coalesce(array_agg(i.item), '{}'), array_agg(i.looks), array_agg(i.priority)
    INTO taken, items, looks, priorities FROM item AS i;
END $$;
COMMENT ON FUNCTION take_jobs IS 'Internal: deletes the queue rows whose token still holds.';

-- Which parts of the documents to write, and which are missing. Reads what is stored, writes nothing.
CREATE FUNCTION plan_snapshots(
    numbers bigint[], ids text[], documents jsonb[], transcripts text[], observed text[], asked text[],
    request_ids text[], etags text[], api_versions text[], notes text[], looks integer[], priorities integer[],
    wanted text[], force boolean)
    RETURNS snapshot[] LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    planned snapshot[];
BEGIN
    SELECT array_agg(ROW(
        a.engagement_id, a.document, a.transcript, a.observed_at, a.etag, a.api_version, a.request_id,
        b.newest AND b.changed OR b.newest AND coalesce('owner' = ANY (p.changed), false),
        p.accepted, p.changed || CASE WHEN 'media_url' = ANY (p.accepted) THEN ARRAY['media_url'] ELSE '{}' END,
        b.newest AND (b.changed OR coalesce(p.gaps, '{}') <> g.gaps) OR cardinality(p.changed) > 0,
        b.digest, coalesce(e._parts, '{}') || coalesce(p.provenance, '{}'),
        CASE WHEN b.newest AND (b.changed OR cardinality(p.changed) > 0) THEN nullif(
            coalesce(base_issues(a.document), '[]') || coalesce(child_issues(a.document, p.accepted), '[]')
            || coalesce((SELECT jsonb_agg(jsonb_build_object('repaired', r)) FROM unnest(string_to_array(a.notes, ',')) AS r), '[]'), '[]') END,
        a.n, b.newest, p.gaps, a.looks, a.priority,
        a.looks > 0 OR b.newest AND (is_unfinished(a.status) OR coalesce(p.gaps ->> 'transcript' = 'not_ready', false))
            OR is_unfinished(e.processing_status) OR coalesce(g.gaps ->> 'transcript' = 'not_ready', false)
        )::snapshot ORDER BY a.engagement_id)
    INTO planned
    FROM (
        SELECT t.n, t.engagement_id, t.document, t.transcript, t.observed::timestamptz AS observed_at, string_to_array(t.asked, ',') AS asked,
               t.request_id, t.etag, t.api_version, t.notes, t.looks, t.priority,
               snapshot_version(json_timestamp(t.document -> 'updated_at'), t.observed::timestamptz) AS version,
               json_text(t.document -> 'processing_status') AS status
        FROM unnest(numbers, ids, documents, transcripts, observed, asked, request_ids, etags, api_versions, notes, looks, priorities)
             AS t(n, engagement_id, document, transcript, observed, asked, request_id, etag, api_version, notes, looks, priority)
        OFFSET 0
    ) AS a
    LEFT JOIN engagements AS e ON e.id = a.engagement_id
    -- A tombstone refuses what was observed before it, whatever its updated_at.
    CROSS JOIN LATERAL (SELECT e._deleted_at IS NULL OR a.observed_at > e._deleted_at AS live) AS t
    CROSS JOIN LATERAL (SELECT digest(without_parts(a.document)::text) AS digest OFFSET 0) AS d
    CROSS JOIN LATERAL (
        SELECT d.digest,
               -- After a deletion the observation alone decides.
               t.live AND (force OR e._deleted_at IS NOT NULL OR is_newer(a.version, a.observed_at, snapshot_version(e.updated_at, e._observed_at), e._observed_at)) AS newest,
               e._digest IS DISTINCT FROM d.digest OR e._deleted_at IS NOT NULL
                   OR coalesce(e._unreadable_since <= a.observed_at, false) AS changed
        OFFSET 0
    ) AS b
    CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_object_agg(o.part, o.cause) FILTER (WHERE o.part IS NOT NULL), '{}') AS gaps,
               -- A call without a transcript may still get one, though its status is final: two looks.
               json_text(a.document -> 'engagement_type') IN ('CALL', 'MEETING') AND a.status IN ('COMPLETED', 'FAILED')
                   AND 'transcript' = ANY (wanted) AND e._parts -> 'transcript' IS NULL
                   AND coalesce(final_looks(max(o._final_looks), a.looks) < 2, true) AS may_be_late
        FROM engagement_gaps AS o WHERE o.engagement_id = a.engagement_id
    ) AS g
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(q.part) FILTER (WHERE q.accepted), '{}') AS accepted,
               coalesce(array_agg(q.part) FILTER (WHERE q.accepted AND q.digest IS DISTINCT FROM q.stored ->> 'd'), '{}') AS changed,
               jsonb_object_agg(q.part, jsonb_strip_nulls(jsonb_build_object('u', a.version, 'o', a.observed_at, 'd', q.digest)))
                   FILTER (WHERE q.accepted) AS provenance,
               jsonb_object_agg(q.part, q.cause) FILTER (WHERE q.cause IS NOT NULL) AS gaps
        FROM (
            SELECT c.part, c.stored, k.digest,
                   t.live AND CASE s.state
                       WHEN 'delivered' THEN force OR is_newer(a.version, a.observed_at, (c.stored ->> 'u')::timestamptz, (c.stored ->> 'o')::timestamptz)
                       -- A null transcript erases a stored one only if the source says that it is newer (U-20).
                       WHEN 'none' THEN force OR c.stored IS NULL OR c.stored ->> 'd' = k.digest
                           OR coalesce(a.version > (c.stored ->> 'u')::timestamptz, a.observed_at > (c.stored ->> 'o')::timestamptz)
                       ELSE false END AS accepted,
                   CASE WHEN c.part <> ALL (wanted) THEN NULL
                        WHEN c.part <> ALL (a.asked) THEN 'scope_denied'
                        WHEN s.state NOT IN ('delivered', 'none') THEN s.state END AS cause
            FROM (
                SELECT u.part, a.document -> u.part AS content, e._parts -> u.part AS stored
                FROM unnest(ARRAY['companies', 'contacts', 'owner', 'action_items', 'signals', 'transcript', 'media_url', 'tags']) AS u(part)
            ) AS c
            CROSS JOIN LATERAL (
                SELECT CASE WHEN c.part = 'transcript' AND a.transcript IS NOT NULL THEN 'delivered'
                            WHEN c.part = 'transcript' AND g.may_be_late AND c.content = 'null' THEN 'not_ready'
                            ELSE part_state(c.part, c.content, a.status) END AS state
                OFFSET 0
            ) AS s
            -- A new signed URL is no change, so media has no digest.
            CROSS JOIN LATERAL (
                SELECT CASE WHEN s.state IN ('delivered', 'none') AND c.part <> 'media_url' THEN digest(
                    CASE WHEN c.part = 'transcript' THEN coalesce(a.transcript, json_text(c.content), '') ELSE c.content::text END) END AS digest
                OFFSET 0
            ) AS k
            OFFSET 0
        ) AS q
    ) AS p;
    RETURN planned;
END $$;
COMMENT ON FUNCTION plan_snapshots IS 'Internal: which parts of the documents to write, and which are missing.';

CREATE FUNCTION write_gaps(snapshots snapshot[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    DELETE FROM engagement_gaps AS g USING unnest(snapshots) AS s
    WHERE s.newest AND g.engagement_id = s.engagement_id AND NOT coalesce(s.gaps, '{}') ? g.part;

    INSERT INTO engagement_gaps AS g (engagement_id, part, cause, scope, last_delivered_at, request_id, _occurred_at)
    SELECT s.engagement_id, m.part, m.cause, part_scope(m.part), (s.provenance -> m.part ->> 'o')::timestamptz, s.request_id,
           coalesce(json_timestamp(s.document -> 'start_at'), json_timestamp(s.document -> 'engagement_at'), json_timestamp(s.document -> 'created_at'))
    FROM unnest(snapshots) AS s CROSS JOIN LATERAL jsonb_each_text(s.gaps) AS m(part, cause)
    WHERE s.newest
    ORDER BY s.engagement_id, m.part
    ON CONFLICT (engagement_id, part) DO UPDATE SET
        cause = excluded.cause, last_delivered_at = excluded.last_delivered_at, request_id = excluded.request_id, next_look_at = NULL,
        _occurred_at = excluded._occurred_at,
        -- A refill that met the denial again is due once more; one that met an answer without the part, three times in all.
        _queued_at = CASE WHEN g.cause = excluded.cause AND g.cause <> 'scope_denied' AND g._refills >= 2 THEN g._queued_at END,
        _refills = CASE WHEN g.cause = excluded.cause AND g._queued_at IS NOT NULL THEN g._refills + 1 ELSE 0 END, _asked_at = now()
    WHERE g.cause <> excluded.cause OR g.last_delivered_at IS DISTINCT FROM excluded.last_delivered_at
       OR g._queued_at IS NOT NULL AND (excluded.cause = 'scope_denied' OR g._refills < 3);

    -- An older snapshot brought a part that the newest one lacks: the gap stays, and says from when the content is.
    UPDATE engagement_gaps AS g SET last_delivered_at = (s.provenance -> g.part ->> 'o')::timestamptz
    FROM unnest(snapshots) AS s
    WHERE NOT s.newest AND g.engagement_id = s.engagement_id AND g.part = ANY (s.entities);
END $$;
COMMENT ON FUNCTION write_gaps IS 'Internal: writes engagement_gaps.';

-- Looks of ours that wait for these engagements are needed no more. One that somebody holds ends by itself.
-- Only joins by index here: a plan that was made for an empty queue would be kept for one of a million rows.
CREATE FUNCTION drop_looks(ids text[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $$
BEGIN
    DELETE FROM enrichment_queue AS d USING (
        SELECT q.id FROM unnest(ids) AS i(id) JOIN enrichment_queue AS q ON left(q.engagement_id, 70) = i.id
        WHERE q.reason = 'not_ready' AND q.looks > 0 AND q.leased_by IS NULL
        FOR UPDATE OF q SKIP LOCKED) AS w
    WHERE d.id = w.id;
    UPDATE engagement_gaps AS g SET next_look_at = NULL
    WHERE g.engagement_id = ANY (ids) AND g.part = 'transcript' AND g.next_look_at IS NOT NULL;
END $$;
COMMENT ON FUNCTION drop_looks IS 'Internal: deletes waiting looks.';

-- Looks to come at what is not ready: by what is stored now, so that an answer older than that changes nothing but ends
-- no looks either. A row with reason not_ready and looks above 0 is ours; one waits for an engagement, not more.
CREATE FUNCTION arrange_looks(snapshots snapshot[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $$
DECLARE
    -- By the looks that were: at one that has not finished; at the transcript of one that has.
    unfinished CONSTANT interval[] := '{1 min,2 min,5 min,15 min,1 h,6 h,24 h}';
    finished CONSTANT interval[] := '{1 h,24 h}';
    unready text[];
BEGIN
    SELECT coalesce(array_agg(e.id), '{}') INTO unready
    FROM unnest(snapshots) AS s JOIN engagements AS e ON e.id = s.engagement_id
    LEFT JOIN engagement_gaps AS g ON g.engagement_id = e.id AND g.part = 'transcript' AND g.cause = 'not_ready'
    WHERE s.watched AND e._deleted_at IS NULL AND (is_unfinished(e.processing_status) OR g.part IS NOT NULL);
    PERFORM drop_looks(ARRAY(SELECT s.engagement_id FROM unnest(snapshots) AS s WHERE s.watched AND s.engagement_id <> ALL (unready)));
    -- An INSERT of no rows rings the bell, too.
    IF unready = '{}' THEN
        RETURN;
    END IF;

    WITH looked AS MATERIALIZED (
        SELECT e.id, s.looks, s.priority, f.done, w.at AS waits_until,
               CASE WHEN w.at IS NULL AND (s.newest OR s.looks > 0) THEN CASE
                   WHEN f.done IS NULL THEN greatest(now(), e.start_at, e.end_at) + unfinished[s.looks + 1]
                   ELSE now() + finished[f.done + 1] END END AS next_at
        FROM unnest(snapshots) AS s JOIN engagements AS e ON e.id = s.engagement_id
        LEFT JOIN engagement_gaps AS g ON g.engagement_id = e.id AND g.part = 'transcript' AND g.cause = 'not_ready'
        CROSS JOIN LATERAL (
            SELECT CASE WHEN e.processing_status IN ('COMPLETED', 'FAILED') THEN coalesce(final_looks(g._final_looks, s.looks), 0) END AS done
        ) AS f
        CROSS JOIN LATERAL (
            SELECT min(q.available_at) AS at FROM enrichment_queue AS q
            WHERE left(q.engagement_id, 70) = e.id AND q.reason = 'not_ready' AND q.looks > 0 AND q.leased_by IS NULL
        ) AS w
        WHERE e.id = ANY (unready)
    ), queued AS (
        INSERT INTO enrichment_queue (engagement_id, reason, priority, available_at, due_at, looks)
        SELECT l.id, 'not_ready', least(l.priority, 0), l.next_at, l.next_at, l.looks + 1
        FROM looked AS l WHERE l.next_at IS NOT NULL ORDER BY l.id
    )
    UPDATE engagement_gaps AS g SET next_look_at = coalesce(l.waits_until, l.next_at), _final_looks = coalesce(l.done, g._final_looks)
    FROM looked AS l
    WHERE g.engagement_id = l.id AND g.part = 'transcript' AND g.cause = 'not_ready'
      AND (g.next_look_at IS DISTINCT FROM coalesce(l.waits_until, l.next_at) OR g._final_looks <> l.done OR g._final_looks IS NULL AND l.done IS NOT NULL);
END $$;
COMMENT ON FUNCTION arrange_looks IS 'Internal: queues the looks at what is not ready, and ends those that are not needed.';

-- One call a batch, one transaction: deletes the queue rows by their tokens and writes what hung on them.
--
-- jobs: three parallel arrays, the third says on which document (from 1) a job hangs. documents: parallel arrays.
-- observed: database clock before the request; asked: the expands of the request, comma-separated; notes: what was
-- repaired in the document. wanted: the parts that we want at all. force: let the documents win against newer ones.
--
-- One row a document: outcome enriched, unchanged, partial, superseded or lease_lost, or refused with a cause (an
-- SQLSTATE, not_an_object, other_document); then its queue rows are untouched. missing: parts; withheld: those of them that
-- the answer left out; lost: ids of jobs whose
-- token no longer held.
CREATE FUNCTION ingest(
    boot bigint, job_ids bigint[], job_claims bigint[], job_documents bigint[],
    ids text[], sources text[], transcripts text[], observed text[], asked text[],
    request_ids text[], etags text[], api_versions text[], notes text[],
    wanted text[], force boolean)
    RETURNS TABLE (document bigint, outcome text, cause text, missing text, withheld text, lost text)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    documents jsonb[];
    refusals text[];
    taken bigint[];
    alive bigint[];
    alive_ids text[];
    looks integer[];
    priorities integer[];
    snapshots snapshot[];
BEGIN
    SELECT p.documents, p.refusals INTO documents, refusals FROM parse_documents(sources) AS p;
    SELECT array_agg(CASE WHEN t.refusal IS NOT NULL THEN t.refusal
                          WHEN jsonb_typeof(t.source) IS DISTINCT FROM 'object' THEN 'not_an_object'
                          WHEN t.source ->> 'id' IS DISTINCT FROM t.id THEN 'other_document' END ORDER BY t.n)
    INTO refusals
    FROM unnest(ids, documents, refusals) WITH ORDINALITY AS t(id, source, refusal, n);

    SELECT j.taken, j.items, j.looks, j.priorities INTO taken, alive, looks, priorities
    FROM (SELECT array_agg(t.id) AS ids, array_agg(t.claims) AS claims, array_agg(t.item) AS items
          FROM unnest(job_ids, job_claims, job_documents) AS t(id, claims, item) WHERE refusals[t.item::integer] IS NULL) AS ours,
         take_jobs(boot, ours.ids, ours.claims, ours.items) AS j;

    IF cardinality(alive) > 0 THEN
        SELECT array_agg(ids[a.n::integer] ORDER BY a.o) INTO alive_ids FROM unnest(alive) WITH ORDINALITY AS a(n, o);
        PERFORM lock_engagements(alive_ids);
        SELECT plan_snapshots(
            alive, alive_ids, array_agg(documents[i] ORDER BY o), array_agg(transcripts[i] ORDER BY o), array_agg(observed[i] ORDER BY o),
            array_agg(asked[i] ORDER BY o), array_agg(request_ids[i] ORDER BY o), array_agg(etags[i] ORDER BY o),
            array_agg(api_versions[i] ORDER BY o), array_agg(notes[i] ORDER BY o), looks, priorities, wanted, force)
        INTO snapshots
        FROM unnest(alive) WITH ORDINALITY AS a(n, o), LATERAL (SELECT a.n::integer AS i) AS i;

        UPDATE engagements AS e SET
            _observed_at = CASE WHEN s.newest THEN s.observed_at ELSE e._observed_at END,
            _etag = CASE WHEN s.newest THEN s.etag ELSE e._etag END,
            _api_version = CASE WHEN s.newest THEN s.api_version ELSE e._api_version END,
            _request_id = CASE WHEN s.newest THEN s.request_id ELSE e._request_id END,
            _parts = s.provenance,
            _issues = CASE WHEN s.newest AND s.parts <> '{}' AND s.parts <> '{media_url}' THEN s.issues ELSE e._issues END,
            _changed_at = CASE WHEN s.moved OR e._unreadable_since <= s.observed_at THEN now() ELSE e._changed_at END,
            -- Whatever its content: it can be read again.
            _unreadable_cause = CASE WHEN e._unreadable_since > s.observed_at THEN e._unreadable_cause END,
            _unreadable_since = CASE WHEN e._unreadable_since > s.observed_at THEN e._unreadable_since END
        FROM unnest(snapshots) AS s
        WHERE e.id = s.engagement_id AND NOT s.base
          AND (s.newest OR cardinality(s.entities) > 0 OR e._unreadable_since <= s.observed_at);
        PERFORM project(snapshots);
        PERFORM write_gaps(snapshots);
        -- Hardly ever: most engagements have finished.
        IF EXISTS (SELECT FROM unnest(snapshots) AS s WHERE s.watched) THEN
            PERFORM arrange_looks(snapshots);
        END IF;
        -- One that was tried with a new token stands for all of its cause.
        WITH gone AS (
            DELETE FROM dead_letters AS d WHERE d.key = ANY (alive_ids) RETURNING d.cause, d._replayed_for
        )
        UPDATE credentials AS c SET _releasing = ARRAY(SELECT unnest(c._releasing) UNION SELECT unnest(r.causes)), _released_at = now()
        FROM (SELECT g._replayed_for AS name, array_agg(g.cause) AS causes FROM gone AS g GROUP BY g._replayed_for) AS r
        WHERE c.name = r.name;
    END IF;

    RETURN QUERY
    SELECT t.n,
           CASE WHEN t.refusal IS NOT NULL THEN 'refused'
                WHEN s.n IS NULL THEN 'lease_lost'
                WHEN NOT s.newest AND cardinality(s.entities) = 0 THEN 'superseded'
                WHEN s.newest AND jsonb_path_exists(s.gaps, '$.* ? (@ != "not_ready")') THEN 'partial'
                WHEN s.moved THEN 'enriched'
                ELSE 'unchanged' END,
           t.refusal,
           (SELECT string_agg(m, ',' ORDER BY m) FROM jsonb_object_keys(s.gaps) AS m),
           (SELECT string_agg(m.part, ',') FROM jsonb_each_text(s.gaps) AS m(part, why) WHERE m.why = 'not_delivered'),
           (SELECT string_agg(j.id::text, ',') FROM unnest(job_ids, job_documents) AS j(id, item)
            WHERE j.item = t.n AND t.refusal IS NULL AND j.id <> ALL (taken))
    FROM unnest(refusals) WITH ORDINALITY AS t(refusal, n) LEFT JOIN unnest(snapshots) AS s ON s.n = t.n;
END $$;
COMMENT ON FUNCTION ingest IS 'Internal: writes the documents of a batch and completes their jobs, in one transaction.';
