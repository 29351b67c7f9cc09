-- What is said to be empty once more, by an older answer, does not make what is stored older: a third answer of the time between
-- would be taken for news then.
CREATE OR REPLACE FUNCTION plan_snapshots(
    numbers bigint[], ids text[], documents jsonb[], transcripts text[], observed text[], asked text[],
    request_ids text[], etags text[], api_versions text[], notes text[], looks integer[], priorities integer[],
    wanted text[], force boolean)
    RETURNS snapshot[] LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    planned snapshot[];
BEGIN
    WITH looked AS MATERIALIZED (
        SELECT a.i, a.engagement_id, a.observed_at, a.asked, a.looks, a.priority, e.id IS NULL AS is_new, b.newest, b.digest, p.accepted, p.changed,
               b.newest AND b.changed OR b.newest AND coalesce('owner' = ANY (p.changed), false) AS base,
               b.changed OR cardinality(p.changed) > 0 AS has_news,
               b.newest AND (b.changed OR coalesce(p.gaps, '{}') <> g.gaps) OR cardinality(p.changed) > 0 AS moved,
               coalesce(e._parts, '{}') || coalesce(p.provenance, '{}') AS provenance, p.gaps,
               a.looks > 0 OR b.newest AND (is_unfinished(a.status) OR coalesce(p.gaps ->> 'transcript' = 'not_ready', false))
                   OR is_unfinished(e.processing_status) OR coalesce(g.gaps ->> 'transcript' = 'not_ready', false) AS watched
        FROM (
            SELECT t.i, ids[t.i] AS engagement_id, documents[t.i] AS document, observed[t.i]::timestamptz AS observed_at,
                   string_to_array(asked[t.i], ',') AS asked, t.looks, t.priority,
                   snapshot_version(json_timestamp(documents[t.i] -> 'updated_at'), observed[t.i]::timestamptz) AS version,
                   json_text(documents[t.i] -> 'processing_status') AS status
            FROM unnest(numbers::integer[], looks, priorities) AS t(i, looks, priority)
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
                           WHEN 'none' THEN force OR c.stored IS NULL
                               OR c.stored ->> 'd' = k.digest AND is_newer(a.version, a.observed_at, (c.stored ->> 'u')::timestamptz, (c.stored ->> 'o')::timestamptz)
                               OR coalesce(a.version > (c.stored ->> 'u')::timestamptz, a.observed_at > (c.stored ->> 'o')::timestamptz)
                           ELSE false END AS accepted,
                       CASE WHEN c.part <> ALL (wanted) THEN NULL
                            WHEN c.part <> ALL (a.asked) THEN 'scope_denied'
                            WHEN s.state NOT IN ('delivered', 'none') THEN s.state END AS cause
                FROM (
                    SELECT u.part, a.document -> u.part AS content, e._parts -> u.part AS stored
                    FROM unnest(ARRAY['companies', 'contacts', 'owner', 'action_items', 'signals', 'transcript', 'media_url', 'tags']) AS u(part)
                    OFFSET 0
                ) AS c
                CROSS JOIN LATERAL (
                    SELECT CASE WHEN c.part = 'transcript' AND transcripts[a.i] IS NOT NULL THEN 'delivered'
                                WHEN c.part = 'transcript' AND g.may_be_late AND c.content = 'null' THEN 'not_ready'
                                ELSE part_state(c.part, c.content, a.status) END AS state
                    OFFSET 0
                ) AS s
                -- A new signed URL is no change, so media has no digest.
                CROSS JOIN LATERAL (
                    SELECT CASE WHEN s.state IN ('delivered', 'none') AND c.part <> 'media_url' THEN digest(
                        CASE WHEN c.part = 'transcript' THEN coalesce(transcripts[a.i], json_text(c.content), '') ELSE c.content::text END) END AS digest
                    OFFSET 0
                ) AS k
                OFFSET 0
            ) AS q
        ) AS p
    ), times AS MATERIALIZED (
        SELECT are_times(string_agg(json_times(documents[l.i]), '')) AS all_fit FROM looked AS l WHERE l.has_news
    )
    SELECT array_agg(ROW(
        l.engagement_id, l.observed_at, etags[l.i], api_versions[l.i], request_ids[l.i], l.base,
        l.accepted, l.changed || CASE WHEN 'media_url' = ANY (l.accepted) THEN ARRAY['media_url'] ELSE '{}' END, l.moved,
        l.digest, l.provenance,
        CASE WHEN l.newest AND l.has_news THEN nullif(
            coalesce(base_issues(documents[l.i], f.fit), '[]') || coalesce(child_issues(documents[l.i], l.accepted, f.fit), '[]')
            || coalesce((SELECT jsonb_agg(jsonb_build_object('repaired', r)) FROM unnest(string_to_array(notes[l.i], ',')) AS r), '[]'), '[]') END,
        l.i, l.newest, l.gaps, l.looks, l.priority, l.watched,
        CASE WHEN l.gaps IS NOT NULL THEN coalesce(json_timestamp(documents[l.i] -> 'start_at'), json_timestamp(documents[l.i] -> 'engagement_at'),
                                                   json_timestamp(documents[l.i] -> 'created_at')) END,
        f.fit, l.asked, l.is_new
        )::snapshot ORDER BY l.engagement_id)
    INTO planned
    FROM looked AS l CROSS JOIN times AS t
    CROSS JOIN LATERAL (SELECT l.has_news AND (t.all_fit OR are_times(json_times(documents[l.i]))) AS fit OFFSET 0) AS f;
    RETURN planned;
END $$;
