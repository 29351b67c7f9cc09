-- project, second half: the children, and the function itself. Children are written by difference, so a set that did
-- not change leaves its rows alone, and so do those items of a changed set that stayed the same.

CREATE FUNCTION project_links(snapshots snapshot[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    WITH wanted AS MATERIALIZED (SELECT engagement_id, key FROM list_items(snapshots, 'companies')),
    gone AS (
        DELETE FROM engagement_companies AS c USING unnest(snapshots) AS s
        WHERE 'companies' = ANY (s.parts) AND c.engagement_id = s.engagement_id
          AND NOT EXISTS (SELECT FROM wanted AS w WHERE w.engagement_id = c.engagement_id AND w.key = c.company_id))
    INSERT INTO engagement_companies (engagement_id, company_id) SELECT engagement_id, key FROM wanted ON CONFLICT DO NOTHING;

    WITH wanted AS MATERIALIZED (SELECT engagement_id, key FROM list_items(snapshots, 'contacts')),
    gone AS (
        DELETE FROM engagement_contacts AS c USING unnest(snapshots) AS s
        WHERE 'contacts' = ANY (s.parts) AND c.engagement_id = s.engagement_id
          AND NOT EXISTS (SELECT FROM wanted AS w WHERE w.engagement_id = c.engagement_id AND w.key = c.contact_id))
    INSERT INTO engagement_contacts (engagement_id, contact_id) SELECT engagement_id, key FROM wanted ON CONFLICT DO NOTHING;

    WITH wanted AS MATERIALIZED (SELECT engagement_id, key FROM list_items(snapshots, 'tags')),
    gone AS (
        DELETE FROM engagement_tags AS c USING unnest(snapshots) AS s
        WHERE 'tags' = ANY (s.parts) AND c.engagement_id = s.engagement_id
          AND NOT EXISTS (SELECT FROM wanted AS w WHERE w.engagement_id = c.engagement_id AND w.key = c.tag_id))
    INSERT INTO engagement_tags (engagement_id, tag_id) SELECT engagement_id, key FROM wanted ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION project_links IS 'Internal: writes engagement_companies, engagement_contacts and engagement_tags.';

CREATE FUNCTION project_action_items(snapshots snapshot[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    WITH wanted AS MATERIALIZED (SELECT * FROM list_items(snapshots, 'action_items')),
    gone AS (
        DELETE FROM engagement_action_items AS c USING unnest(snapshots) AS s
        WHERE 'action_items' = ANY (s.parts) AND c.engagement_id = s.engagement_id
          AND NOT EXISTS (SELECT FROM wanted AS w WHERE w.engagement_id = c.engagement_id AND w.key = c.id))
    INSERT INTO engagement_action_items AS c (
        engagement_id, id, title, text, description, status, assignee_user_id, due_at, completed_at, created_at, updated_at,
        _position, _raw, _first_seen_at)
    SELECT w.engagement_id, w.key, json_text(i -> 'title'), json_text(i -> 'text'), json_text(i -> 'description'),
           json_text(i -> 'status'), json_text(i -> 'assignee_user_id'), json_timestamp(i -> 'due_at'),
           json_timestamp(i -> 'completed_at'), json_timestamp(i -> 'created_at'), json_timestamp(i -> 'updated_at'),
           w.n, i, w.observed_at
    FROM wanted AS w CROSS JOIN LATERAL (SELECT w.item AS i) AS item
    ON CONFLICT (engagement_id, id) DO UPDATE SET
        title = excluded.title, text = excluded.text, description = excluded.description, status = excluded.status,
        assignee_user_id = excluded.assignee_user_id, due_at = excluded.due_at, completed_at = excluded.completed_at,
        created_at = excluded.created_at, updated_at = excluded.updated_at, _position = excluded._position, _raw = excluded._raw
    WHERE (c._raw, c._position) IS DISTINCT FROM (excluded._raw, excluded._position);
END $$;
COMMENT ON FUNCTION project_action_items IS 'Internal: writes engagement_action_items.';

CREATE FUNCTION project_signals(snapshots snapshot[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    WITH wanted AS MATERIALIZED (SELECT * FROM list_items(snapshots, 'signals')),
    gone AS (
        DELETE FROM engagement_signals AS c USING unnest(snapshots) AS s
        WHERE 'signals' = ANY (s.parts) AND c.engagement_id = s.engagement_id
          AND NOT EXISTS (SELECT FROM wanted AS w WHERE w.engagement_id = c.engagement_id AND w.key = c.id))
    INSERT INTO engagement_signals AS c (
        engagement_id, id, type, name, title, text, description, value, created_at, updated_at, _position, _raw, _first_seen_at)
    SELECT w.engagement_id, w.key, json_text(i -> 'type'), json_text(i -> 'name'), json_text(i -> 'title'), json_text(i -> 'text'),
           json_text(i -> 'description'), json_text(i -> 'value'), json_timestamp(i -> 'created_at'), json_timestamp(i -> 'updated_at'),
           w.n, i, w.observed_at
    FROM wanted AS w CROSS JOIN LATERAL (SELECT w.item AS i) AS item
    ON CONFLICT (engagement_id, id) DO UPDATE SET
        type = excluded.type, name = excluded.name, title = excluded.title, text = excluded.text,
        description = excluded.description, value = excluded.value,
        created_at = excluded.created_at, updated_at = excluded.updated_at, _position = excluded._position, _raw = excluded._raw
    WHERE (c._raw, c._position) IS DISTINCT FROM (excluded._raw, excluded._position);
END $$;
COMMENT ON FUNCTION project_signals IS 'Internal: writes engagement_signals.';

-- The transcript comes beside its document when the worker cut it out; a document that still holds it gives it itself.
CREATE FUNCTION project_transcripts(snapshots snapshot[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    DELETE FROM engagement_transcripts AS c USING unnest(snapshots) AS s
    WHERE 'transcript' = ANY (s.parts) AND c.engagement_id = s.engagement_id AND s.document -> 'transcript' = 'null';
    INSERT INTO engagement_transcripts AS c (engagement_id, transcript)
    SELECT s.engagement_id, coalesce(s.transcript, json_text(s.document -> 'transcript'))
    FROM unnest(snapshots) AS s
    WHERE 'transcript' = ANY (s.parts) AND s.document -> 'transcript' <> 'null'
    ON CONFLICT (engagement_id) DO UPDATE SET transcript = excluded.transcript;
END $$;
COMMENT ON FUNCTION project_transcripts IS 'Internal: writes engagement_transcripts.';

CREATE FUNCTION project_media(snapshots snapshot[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    DELETE FROM engagement_media AS c USING unnest(snapshots) AS s
    WHERE 'media_url' = ANY (s.parts) AND c.engagement_id = s.engagement_id AND s.document -> 'media_url' = 'null';
    INSERT INTO engagement_media AS c (engagement_id, media_url, obtained_at)
    SELECT s.engagement_id, json_text(s.document -> 'media_url'), s.observed_at
    FROM unnest(snapshots) AS s
    WHERE 'media_url' = ANY (s.parts) AND s.document -> 'media_url' <> 'null'
    ON CONFLICT (engagement_id) DO UPDATE SET media_url = excluded.media_url, obtained_at = excluded.obtained_at;
END $$;
COMMENT ON FUNCTION project_media IS 'Internal: writes engagement_media.';

-- Closes what a subject no longer has and opens what is new. A subject whose association is there but cannot be read
-- (no object, no usable id) says nothing either way.
CREATE FUNCTION project_crm(subjects crm_subject[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    WITH subject AS MATERIALIZED (
        SELECT s.subject_type, s.subject_id, s.observed_at, s.previously_at, json_text(a -> 'source') AS source,
               json_text(a -> 'object_type') AS object_type,
               coalesce(json_text(a -> 'crm_object_id'), json_text(a -> 'id')) AS crm_object_id
        FROM unnest(subjects) AS s CROSS JOIN LATERAL (SELECT nullif(s.association, 'null') AS a) AS association
        WHERE a IS NULL
           OR (jsonb_typeof(a) = 'object'
               AND octet_length(coalesce(json_text(a -> 'crm_object_id'), json_text(a -> 'id'))) BETWEEN 1 AND 255
               AND coalesce(octet_length(json_text(a -> 'source')), 0) <= 255
               AND coalesce(octet_length(json_text(a -> 'object_type')), 0) <= 255)
    ), closed AS (
        UPDATE crm_associations AS c
        SET removed_at = greatest(s.observed_at, c.first_seen_at), last_seen_at = greatest(s.previously_at, c.first_seen_at)
        FROM subject AS s
        WHERE c.subject_type = s.subject_type AND c.subject_id = s.subject_id AND c.removed_at IS NULL
          AND (c.source, c.object_type, c.crm_object_id) IS DISTINCT FROM (s.source, s.object_type, s.crm_object_id)
    )
    INSERT INTO crm_associations (subject_type, subject_id, source, object_type, crm_object_id, first_seen_at)
    SELECT s.subject_type, s.subject_id, s.source, s.object_type, s.crm_object_id, s.observed_at
    FROM subject AS s
    WHERE s.crm_object_id IS NOT NULL
    ORDER BY s.subject_type, s.subject_id
    ON CONFLICT (subject_type, subject_id, source, object_type, crm_object_id) WHERE removed_at IS NULL DO NOTHING;
END $$;
COMMENT ON FUNCTION project_crm IS 'Internal: writes crm_associations.';

-- Writes columns and children of the given parts. Fence and order are the caller's; the caller holds the engagements' locks.
-- Each call below is a statement with a snapshot of its own, so what a row lock made us wait for is seen by the next.
CREATE FUNCTION project(snapshots snapshot[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    subjects crm_subject[];
BEGIN
    subjects := ARRAY(SELECT s FROM project_engagements(snapshots) AS s);
    subjects := subjects || ARRAY(SELECT s FROM project_companies(snapshots) AS s);
    subjects := subjects || ARRAY(SELECT s FROM project_contacts(snapshots) AS s);
    PERFORM project_users(snapshots);
    PERFORM project_tags(snapshots);
    PERFORM project_links(snapshots);
    PERFORM project_action_items(snapshots);
    PERFORM project_signals(snapshots);
    PERFORM project_transcripts(snapshots);
    PERFORM project_media(snapshots);
    IF cardinality(subjects) > 0 THEN
        PERFORM project_crm(subjects);
    END IF;
END $$;
COMMENT ON FUNCTION project(snapshot[]) IS 'Internal: the mapping from documents to columns and children, shared by ingest and reproject.';
