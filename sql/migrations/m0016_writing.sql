-- Writing made cheaper. A set-returning function in FROM keeps a copy of what it returns, so snapshots carry decisions and not
-- documents; those stay in arrays beside them, of which each function takes what it needs by the number n. Each list of a
-- document is read once, for its entities and its links.

ALTER TYPE snapshot DROP ATTRIBUTE document, DROP ATTRIBUTE transcript, ADD ATTRIBUTE occurred_at timestamptz;

DROP FUNCTION project(snapshot[]), project_engagements(snapshot[]), project_companies(snapshot[]), project_contacts(snapshot[]),
    project_users(snapshot[]), project_tags(snapshot[]), project_links(snapshot[]), project_action_items(snapshot[]),
    project_signals(snapshot[]), project_transcripts(snapshot[]), project_media(snapshot[]),
    list_items(snapshot[], text), entities(snapshot[], text);

-- As in m0003, in two steps as in child_issues: nearly always everything fits.
CREATE OR REPLACE FUNCTION base_issues(document jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
    issues jsonb;
BEGIN
    IF coalesce(jsonb_typeof(document -> 'crm_association') = 'null'
           OR octet_length(coalesce(json_text(document #> '{crm_association,crm_object_id}'), json_text(document #> '{crm_association,id}'))) BETWEEN 1 AND 255,
           NOT document ? 'crm_association')
       AND NOT jsonb_path_exists(document, '$ ? ((@.object.type() != "string" && @.object.type() != "null")
                || (@.title.type() != "string" && @.title.type() != "null")
                || (@.engagement_type.type() != "string" && @.engagement_type.type() != "null")
                || (@.processing_status.type() != "string" && @.processing_status.type() != "null")
                || (@.description.type() != "string" && @.description.type() != "null")
                || (@.data_source.type() != "string" && @.data_source.type() != "null")
                || (@.meeting_url.type() != "string" && @.meeting_url.type() != "null")
                || (@.external_url.type() != "string" && @.external_url.type() != "null")
                || (@.owner_user_id.type() != "string" && @.owner_user_id.type() != "null")
                || (@.host_user_id.type() != "string" && @.host_user_id.type() != "null")
                || (@.is_private.type() != "boolean" && @.is_private.type() != "null")
                || (@.is_internal.type() != "boolean" && @.is_internal.type() != "null")
                || (@.duration_seconds.type() != "number" && @.duration_seconds.type() != "null")
                || (@.duration_seconds < 0 || @.duration_seconds > 2147483647)
                || (@.duration_seconds.type() == "number" && @.duration_seconds.floor() != @.duration_seconds))', silent => true)
       AND (json_timestamp(document -> 'created_at') IS NOT NULL OR coalesce(document -> 'created_at', 'null') = 'null')
       AND (json_timestamp(document -> 'updated_at') IS NOT NULL OR coalesce(document -> 'updated_at', 'null') = 'null')
       AND (json_timestamp(document -> 'engagement_at') IS NOT NULL OR coalesce(document -> 'engagement_at', 'null') = 'null')
       AND (json_timestamp(document -> 'start_at') IS NOT NULL OR coalesce(document -> 'start_at', 'null') = 'null')
       AND (json_timestamp(document -> 'end_at') IS NOT NULL OR coalesce(document -> 'end_at', 'null') = 'null')
    THEN
        RETURN NULL;
    END IF;
    SELECT jsonb_agg(jsonb_build_object('field', f.field, 'expected', f.expected) ORDER BY f.field) INTO issues
    FROM (
        VALUES ('object', 'text'), ('title', 'text'), ('engagement_type', 'text'), ('processing_status', 'text'),
               ('description', 'text'), ('data_source', 'text'), ('meeting_url', 'text'), ('external_url', 'text'),
               ('owner_user_id', 'text'), ('host_user_id', 'text'),
               ('created_at', 'time'), ('updated_at', 'time'), ('engagement_at', 'time'), ('start_at', 'time'), ('end_at', 'time'),
               ('is_private', 'boolean'), ('is_internal', 'boolean'), ('duration_seconds', 'count'), ('crm_association', 'object')
    ) AS f(field, expected)
    WHERE jsonb_typeof(document -> f.field) <> 'null'
      AND CASE f.expected
            WHEN 'text' THEN jsonb_typeof(document -> f.field) <> 'string'
            WHEN 'time' THEN json_timestamp(document -> f.field) IS NULL
            WHEN 'boolean' THEN jsonb_typeof(document -> f.field) <> 'boolean'
            WHEN 'count' THEN json_count(document -> f.field) IS NULL
            ELSE jsonb_typeof(document -> f.field) <> 'object'
                OR coalesce(octet_length(coalesce(json_text(document #> '{crm_association,crm_object_id}'),
                                                  json_text(document #> '{crm_association,id}'))), 0) NOT BETWEEN 1 AND 255
          END;
    RETURN issues;
END $$;

-- The items of a list part that was accepted, with a key that is unique in its engagement: a repeated id counts once, the last
-- wins; equal items without id are one link, and two action items or signals, which are numbered. is_changed: the part is not as
-- it is stored.
-- Without SET, so that it is inlined into the statements that use it; they pin the path.
CREATE FUNCTION list_items(snapshots snapshot[], documents jsonb[], part text)
    RETURNS TABLE (engagement_id text, key text, item jsonb, n bigint, observed_at timestamptz, is_changed boolean) LANGUAGE sql STABLE AS $$
    SELECT DISTINCT ON (k.engagement_id, k.key) k.engagement_id, k.key, k.item, k.n, k.observed_at, k.is_changed
    FROM (
        SELECT i.engagement_id, i.observed_at, i.item, i.n, i.is_changed,
               CASE WHEN part IN ('action_items', 'signals') AND i.key LIKE 'digest\_%' AND jsonb_typeof(i.item -> 'id') IS DISTINCT FROM 'string'
                    THEN i.key || '_' || row_number() OVER (PARTITION BY i.engagement_id, i.key ORDER BY i.n)
                    ELSE i.key END AS key
        FROM (
            SELECT s.engagement_id, s.observed_at, e.item, e.n, item_key(e.item) AS key, part = ANY (s.parts) AS is_changed
            FROM unnest(snapshots) AS s, LATERAL jsonb_array_elements(documents[s.n::integer] -> part) WITH ORDINALITY AS e(item, n)
            WHERE part = ANY (CASE WHEN part IN ('action_items', 'signals') THEN s.parts ELSE s.entities END)
            OFFSET 0
        ) AS i
    ) AS k
    ORDER BY k.engagement_id, k.key, k.n DESC
$$;
COMMENT ON FUNCTION list_items IS 'Internal: the items of a list part with their keys.';

CREATE FUNCTION project_engagements(snapshots snapshot[], documents jsonb[]) RETURNS SETOF crm_subject
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY WITH before AS MATERIALIZED (
        SELECT e.id, e._observed_at FROM unnest(snapshots) AS s JOIN engagements AS e ON e.id = s.engagement_id WHERE s.base
    ), written AS (
        INSERT INTO engagements AS e (
            id, object, title, engagement_type, processing_status, is_private, created_at, updated_at, description, data_source,
            is_internal, engagement_at, start_at, end_at, duration_seconds, meeting_url, external_url, crm_association,
            owner_user_id, host_user_id,
            _raw, _digest, _parts, _api_version, _etag, _request_id, _observed_at, _changed_at, _issues)
        SELECT s.engagement_id, json_text(d -> 'object'), json_text(d -> 'title'), json_text(d -> 'engagement_type'),
               json_text(d -> 'processing_status'), json_boolean(d -> 'is_private'),
               json_timestamp(d -> 'created_at'), json_timestamp(d -> 'updated_at'),
               json_text(d -> 'description'), json_text(d -> 'data_source'), json_boolean(d -> 'is_internal'),
               json_timestamp(d -> 'engagement_at'), json_timestamp(d -> 'start_at'), json_timestamp(d -> 'end_at'),
               json_count(d -> 'duration_seconds'), json_text(d -> 'meeting_url'), json_text(d -> 'external_url'),
               CASE WHEN jsonb_typeof(d -> 'crm_association') = 'object' THEN d -> 'crm_association' END,
               coalesce(json_text(d -> 'owner_user_id'), CASE WHEN 'owner' = ANY (s.entities) THEN json_text(d #> '{owner,id}') END),
               json_text(d -> 'host_user_id'),
               without_parts(d), s.digest, s.provenance, s.api_version, s.etag, s.request_id, s.observed_at, now(), s.issues
        FROM unnest(snapshots) AS s, LATERAL (SELECT documents[s.n::integer] AS d) AS document
        WHERE s.base
        ORDER BY s.engagement_id
        ON CONFLICT (id) DO UPDATE SET
            object = excluded.object, title = excluded.title, engagement_type = excluded.engagement_type,
            processing_status = excluded.processing_status, is_private = excluded.is_private,
            created_at = excluded.created_at, updated_at = excluded.updated_at, description = excluded.description,
            data_source = excluded.data_source, is_internal = excluded.is_internal, engagement_at = excluded.engagement_at,
            start_at = excluded.start_at, end_at = excluded.end_at, duration_seconds = excluded.duration_seconds,
            meeting_url = excluded.meeting_url, external_url = excluded.external_url, crm_association = excluded.crm_association,
            -- An answer that names no owner and was not asked for one does not erase it.
            owner_user_id = CASE WHEN excluded._raw ? 'owner_user_id' OR (excluded._parts #>> '{owner,o}')::timestamptz = excluded._observed_at
                                 THEN excluded.owner_user_id ELSE coalesce(excluded.owner_user_id, e.owner_user_id) END,
            host_user_id = excluded.host_user_id,
            _raw = excluded._raw, _digest = excluded._digest, _parts = excluded._parts, _api_version = excluded._api_version,
            _etag = excluded._etag, _request_id = excluded._request_id, _observed_at = excluded._observed_at,
            _changed_at = excluded._changed_at, _issues = excluded._issues,
            _deleted_at = NULL,
            _unreadable_since = CASE WHEN e._unreadable_since > excluded._observed_at THEN e._unreadable_since END,
            _unreadable_cause = CASE WHEN e._unreadable_since > excluded._observed_at THEN e._unreadable_cause END
        RETURNING e.id
    )
    SELECT 'engagement', s.engagement_id, documents[s.n::integer] -> 'crm_association', s.observed_at, b._observed_at
    FROM unnest(snapshots) AS s LEFT JOIN before AS b ON b.id = s.engagement_id
    WHERE s.base;
END $$;
COMMENT ON FUNCTION project_engagements IS 'Internal: writes engagements.';

-- Entities are read first and written only when different and newer: ON CONFLICT DO UPDATE locks and logs a row even
-- when nothing changes. In id order, the tables in the order in which project calls these. An entity counts once, as its newest
-- observation in the batch shows it; what has no fields is a link alone.
--
-- IN … IS TRUE: a join of the two would be planned for one row each, and compare every pair.
CREATE FUNCTION project_companies(snapshots snapshot[], documents jsonb[]) RETURNS SETOF crm_subject
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY WITH item AS MATERIALIZED (
        SELECT * FROM list_items(snapshots, documents, 'companies')
    ), changed AS MATERIALIZED (
        SELECT n.id, n.raw, n.observed_at, o._observed_at AS previously_at
        FROM (SELECT DISTINCT ON (i.key) i.key AS id, i.item AS raw, i.observed_at FROM item AS i
              WHERE jsonb_typeof(i.item) = 'object' ORDER BY i.key, i.observed_at DESC, i.n DESC) AS n
        LEFT JOIN companies AS o ON o.id = n.id
        WHERE o.id IS NULL OR (o._observed_at <= n.observed_at AND o._raw <> n.raw)
    ), written AS (
        INSERT INTO companies AS o (id, name, domains, _raw, _observed_at)
        SELECT id, json_text(raw -> 'name'), json_list(raw -> 'domains'), raw, observed_at FROM changed ORDER BY id
        ON CONFLICT (id) DO UPDATE SET
            name = excluded.name, domains = excluded.domains,
            _raw = excluded._raw, _observed_at = excluded._observed_at, _changed_at = now()
        WHERE o._observed_at <= excluded._observed_at AND o._raw <> excluded._raw
        RETURNING o.id
    ), gone AS (
        DELETE FROM engagement_companies AS c USING unnest(snapshots) AS s
        WHERE 'companies' = ANY (s.parts) AND c.engagement_id = s.engagement_id
          AND NOT EXISTS (SELECT FROM item AS i WHERE i.engagement_id = c.engagement_id AND i.key = c.company_id)
    ), linked AS (
        INSERT INTO engagement_companies (engagement_id, company_id)
        SELECT i.engagement_id, i.key FROM item AS i WHERE i.is_changed ON CONFLICT DO NOTHING
    )
    SELECT 'company', c.id, c.raw -> 'crm_association', c.observed_at, c.previously_at
    FROM changed AS c WHERE (c.id IN (SELECT w.id FROM written AS w)) IS TRUE;
END $$;
COMMENT ON FUNCTION project_companies IS 'Internal: writes companies and engagement_companies.';

CREATE FUNCTION project_contacts(snapshots snapshot[], documents jsonb[]) RETURNS SETOF crm_subject
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY WITH item AS MATERIALIZED (
        SELECT * FROM list_items(snapshots, documents, 'contacts')
    ), changed AS MATERIALIZED (
        SELECT n.id, n.raw, n.observed_at, o._observed_at AS previously_at
        FROM (SELECT DISTINCT ON (i.key) i.key AS id, i.item AS raw, i.observed_at FROM item AS i
              WHERE jsonb_typeof(i.item) = 'object' ORDER BY i.key, i.observed_at DESC, i.n DESC) AS n
        LEFT JOIN contacts AS o ON o.id = n.id
        WHERE o.id IS NULL OR (o._observed_at <= n.observed_at AND o._raw <> n.raw)
    ), written AS (
        INSERT INTO contacts AS o (id, first_name, last_name, primary_email, emails, company_id, _raw, _observed_at)
        SELECT id, json_text(raw -> 'first_name'), json_text(raw -> 'last_name'), primary_email(raw -> 'emails'), json_list(raw -> 'emails'),
               json_text(raw #> '{company,id}'), raw, observed_at
        FROM changed ORDER BY id
        ON CONFLICT (id) DO UPDATE SET
            first_name = excluded.first_name, last_name = excluded.last_name, primary_email = excluded.primary_email,
            emails = excluded.emails, company_id = excluded.company_id,
            _raw = excluded._raw, _observed_at = excluded._observed_at, _changed_at = now()
        WHERE o._observed_at <= excluded._observed_at AND o._raw <> excluded._raw
        RETURNING o.id
    ), gone AS (
        DELETE FROM engagement_contacts AS c USING unnest(snapshots) AS s
        WHERE 'contacts' = ANY (s.parts) AND c.engagement_id = s.engagement_id
          AND NOT EXISTS (SELECT FROM item AS i WHERE i.engagement_id = c.engagement_id AND i.key = c.contact_id)
    ), linked AS (
        INSERT INTO engagement_contacts (engagement_id, contact_id)
        SELECT i.engagement_id, i.key FROM item AS i WHERE i.is_changed ON CONFLICT DO NOTHING
    )
    SELECT 'contact', c.id, c.raw -> 'crm_association', c.observed_at, c.previously_at
    FROM changed AS c WHERE (c.id IN (SELECT w.id FROM written AS w)) IS TRUE;
END $$;
COMMENT ON FUNCTION project_contacts IS 'Internal: writes contacts and engagement_contacts.';

CREATE FUNCTION project_users(snapshots snapshot[], documents jsonb[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO users AS o (id, role, first_name, last_name, job_title, primary_email, emails, time_zone, created_at, updated_at,
                            last_activity_at, _raw, _observed_at)
    SELECT n.id, json_text(n.raw -> 'role'), json_text(n.raw -> 'first_name'), json_text(n.raw -> 'last_name'),
           json_text(n.raw -> 'job_title'), primary_email(n.raw -> 'emails'), json_list(n.raw -> 'emails'), json_text(n.raw -> 'time_zone'),
           json_timestamp(n.raw -> 'created_at'), json_timestamp(n.raw -> 'updated_at'), json_timestamp(n.raw -> 'last_activity_at'),
           n.raw, n.observed_at
    FROM (
        SELECT DISTINCT ON (i.id) i.id, i.raw, i.observed_at
        FROM (
            SELECT item_key(d.owner) AS id, d.owner AS raw, s.observed_at
            FROM unnest(snapshots) AS s, LATERAL (SELECT documents[s.n::integer] -> 'owner' AS owner) AS d
            WHERE 'owner' = ANY (s.entities) AND jsonb_typeof(d.owner) = 'object'
        ) AS i
        ORDER BY i.id, i.observed_at DESC
    ) AS n
    LEFT JOIN users AS o ON o.id = n.id
    WHERE o.id IS NULL OR (o._observed_at <= n.observed_at AND o._raw <> n.raw)
    ORDER BY n.id
    ON CONFLICT (id) DO UPDATE SET
        role = excluded.role, first_name = excluded.first_name, last_name = excluded.last_name, job_title = excluded.job_title,
        primary_email = excluded.primary_email, emails = excluded.emails, time_zone = excluded.time_zone,
        created_at = excluded.created_at, updated_at = excluded.updated_at, last_activity_at = excluded.last_activity_at,
        _raw = excluded._raw, _observed_at = excluded._observed_at, _changed_at = now()
    WHERE o._observed_at <= excluded._observed_at AND o._raw <> excluded._raw;
END $$;
COMMENT ON FUNCTION project_users IS 'Internal: writes users.';

CREATE FUNCTION project_tags(snapshots snapshot[], documents jsonb[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    WITH item AS MATERIALIZED (
        SELECT * FROM list_items(snapshots, documents, 'tags')
    ), gone AS (
        DELETE FROM engagement_tags AS c USING unnest(snapshots) AS s
        WHERE 'tags' = ANY (s.parts) AND c.engagement_id = s.engagement_id
          AND NOT EXISTS (SELECT FROM item AS i WHERE i.engagement_id = c.engagement_id AND i.key = c.tag_id)
    ), linked AS (
        INSERT INTO engagement_tags (engagement_id, tag_id)
        SELECT i.engagement_id, i.key FROM item AS i WHERE i.is_changed ON CONFLICT DO NOTHING
    )
    INSERT INTO tags AS o (id, name, hex_color, description, auto_tagging_enabled, created_at, updated_at, _raw, _observed_at)
    SELECT n.id, json_text(n.raw -> 'name'), json_text(n.raw -> 'hex_color'), json_text(n.raw -> 'description'),
           json_boolean(n.raw -> 'auto_tagging_enabled'), json_timestamp(n.raw -> 'created_at'),
           json_timestamp(n.raw -> 'updated_at'), n.raw, n.observed_at
    FROM (SELECT DISTINCT ON (i.key) i.key AS id, i.item AS raw, i.observed_at FROM item AS i
          WHERE jsonb_typeof(i.item) = 'object' ORDER BY i.key, i.observed_at DESC, i.n DESC) AS n
    LEFT JOIN tags AS o ON o.id = n.id
    WHERE o.id IS NULL OR (o._observed_at <= n.observed_at AND o._raw <> n.raw)
    ORDER BY n.id
    ON CONFLICT (id) DO UPDATE SET
        name = excluded.name, hex_color = excluded.hex_color, description = excluded.description,
        auto_tagging_enabled = excluded.auto_tagging_enabled, created_at = excluded.created_at, updated_at = excluded.updated_at,
        _raw = excluded._raw, _observed_at = excluded._observed_at, _changed_at = now()
    WHERE o._observed_at <= excluded._observed_at AND o._raw <> excluded._raw;
END $$;
COMMENT ON FUNCTION project_tags IS 'Internal: writes tags and engagement_tags.';

CREATE FUNCTION project_action_items(snapshots snapshot[], documents jsonb[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    WITH wanted AS MATERIALIZED (SELECT * FROM list_items(snapshots, documents, 'action_items')),
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

CREATE FUNCTION project_signals(snapshots snapshot[], documents jsonb[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    WITH wanted AS MATERIALIZED (SELECT * FROM list_items(snapshots, documents, 'signals')),
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
CREATE FUNCTION project_transcripts(snapshots snapshot[], documents jsonb[], transcripts text[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    DELETE FROM engagement_transcripts AS c USING unnest(snapshots) AS s
    WHERE 'transcript' = ANY (s.parts) AND c.engagement_id = s.engagement_id AND documents[s.n::integer] -> 'transcript' = 'null';
    INSERT INTO engagement_transcripts AS c (engagement_id, transcript)
    SELECT s.engagement_id, coalesce(transcripts[s.n::integer], json_text(documents[s.n::integer] -> 'transcript'))
    FROM unnest(snapshots) AS s
    WHERE 'transcript' = ANY (s.parts) AND documents[s.n::integer] -> 'transcript' <> 'null'
    ON CONFLICT (engagement_id) DO UPDATE SET transcript = excluded.transcript;
END $$;
COMMENT ON FUNCTION project_transcripts IS 'Internal: writes engagement_transcripts.';

CREATE FUNCTION project_media(snapshots snapshot[], documents jsonb[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    DELETE FROM engagement_media AS c USING unnest(snapshots) AS s
    WHERE 'media_url' = ANY (s.parts) AND c.engagement_id = s.engagement_id AND documents[s.n::integer] -> 'media_url' = 'null';
    INSERT INTO engagement_media AS c (engagement_id, media_url, obtained_at)
    SELECT s.engagement_id, json_text(documents[s.n::integer] -> 'media_url'), s.observed_at
    FROM unnest(snapshots) AS s
    WHERE 'media_url' = ANY (s.parts) AND documents[s.n::integer] -> 'media_url' <> 'null'
    ON CONFLICT (engagement_id) DO UPDATE SET media_url = excluded.media_url, obtained_at = excluded.obtained_at;
END $$;
COMMENT ON FUNCTION project_media IS 'Internal: writes engagement_media.';

-- Writes columns and children of the given parts; documents and transcripts by the snapshots' n. Fence and order are the caller's;
-- the caller holds the engagements' locks. Each call below is a statement with a snapshot of its own, so what a row lock made us
-- wait for is seen by the next.
CREATE FUNCTION project(snapshots snapshot[], documents jsonb[], transcripts text[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    subjects crm_subject[];
BEGIN
    subjects := ARRAY(SELECT s FROM project_engagements(snapshots, documents) AS s);
    subjects := subjects || ARRAY(SELECT s FROM project_companies(snapshots, documents) AS s);
    subjects := subjects || ARRAY(SELECT s FROM project_contacts(snapshots, documents) AS s);
    PERFORM project_users(snapshots, documents);
    PERFORM project_tags(snapshots, documents);
    PERFORM project_action_items(snapshots, documents);
    PERFORM project_signals(snapshots, documents);
    PERFORM project_transcripts(snapshots, documents, transcripts);
    PERFORM project_media(snapshots, documents);
    IF cardinality(subjects) > 0 THEN
        PERFORM project_crm(subjects);
    END IF;
END $$;
COMMENT ON FUNCTION project IS 'Internal: the mapping from documents to columns and children, shared by ingest and reproject.';

-- A queue that was empty when it was vacuumed last counts as empty, however many rows came since. All indexes that a condition
-- fits look alike then, and a row was looked for by its id, the last column of this one, by reading all of it.

DROP INDEX enrichment_queue_claim;
CREATE INDEX enrichment_queue_claim
    ON enrichment_queue ((CASE WHEN priority > 0 THEN 1 WHEN priority < 0 THEN -1 ELSE 0 END), available_at, (id + 0));

-- As in m0015, in the order of that index.
CREATE OR REPLACE FUNCTION claim(boot bigint, lease_seconds double precision, wanted bigint[], floor_at text[], floor_id bigint[])
    RETURNS TABLE (lane integer, n bigint, id bigint, engagement_id text, reason text, claims bigint, attempts integer, losses integer,
                   looks integer, wait_ms bigint, key_at text, clock text)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := clock_timestamp();
    ids bigint[];
    keys timestamptz[];
    suspects bigint[];
BEGIN
    IF (SELECT paused FROM control) THEN
        RETURN;
    END IF;
    FOR k IN 1..3 LOOP
        CONTINUE WHEN wanted[k] <= 0;
        SELECT array_agg(p.id) FILTER (WHERE NOT p.is_suspect), array_agg(p.available_at) FILTER (WHERE NOT p.is_suspect),
               array_agg(p.id) FILTER (WHERE p.is_suspect)
        INTO ids, keys, suspects
        FROM (SELECT q.id, q.available_at, coalesce(q.losses = 1 AND q.leased_by <> boot AND tells_of_death(boot, q.available_at), false) AS is_suspect
              FROM enrichment_queue AS q
              WHERE (CASE WHEN q.priority > 0 THEN 1 WHEN q.priority < 0 THEN -1 ELSE 0 END) = 2 - k
                AND (q.available_at, q.id + 0) > (floor_at[k]::timestamptz, floor_id[k])
                AND q.available_at <= at
                AND (q.losses IS NULL OR q.losses NOT BETWEEN 2 AND 4)
              ORDER BY q.available_at, q.id + 0
              LIMIT wanted[k]
              FOR UPDATE SKIP LOCKED) AS p;
        IF suspects IS NOT NULL THEN
            UPDATE enrichment_queue AS q SET losses = 2, leased_by = NULL WHERE q.id = ANY (suspects);
        END IF;
        CONTINUE WHEN ids IS NULL;
        RETURN QUERY SELECT 2 - k, l.* FROM lease(boot, lease_seconds, ids, keys, at) AS l;
    END LOOP;
END $$;

-- As in m0015, each row by its key.
CREATE OR REPLACE FUNCTION lease(boot bigint, lease_seconds double precision, ids bigint[], keys timestamptz[], at timestamptz)
    RETURNS TABLE (n bigint, id bigint, engagement_id text, reason text, claims bigint, attempts integer, losses integer,
                   looks integer, wait_ms bigint, key_at text, clock text)
    LANGUAGE sql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
    UPDATE enrichment_queue AS q
    SET available_at = clock_timestamp() + make_interval(secs => lease_seconds), leased_by = boot,
        claims = coalesce(nullif(q.claims, 9223372036854775807), 0) + 1, due_at = coalesce(q.due_at, q.available_at),
        losses = coalesce(q.losses, 0) + CASE WHEN q.leased_by <> boot AND tells_of_death(boot, q.available_at) THEN 1 ELSE 0 END
    FROM unnest(ids, keys) WITH ORDINALITY AS p(id, key, n)
    -- The second condition finds the rows by key whatever the planner takes the queue for; by the first alone it may read all.
    WHERE q.id = p.id AND q.id = ANY (ids)
    RETURNING p.n, q.id, left(q.engagement_id, 100), left(q.reason, 100), q.claims, coalesce(q.attempts, 0), q.losses, coalesce(q.looks, 0),
              -- Both may be infinite, and now() minus that is an error.
              greatest(0, extract(epoch FROM at - CASE WHEN isfinite(q.due_at) THEN q.due_at WHEN isfinite(q.enqueued_at) THEN q.enqueued_at END) * 1000)::bigint,
              p.key::text, clock_timestamp()::text
$$;

-- As in m0006. Each row by its key: a join of the two would be planned for a few rows, and compare all that the worker holds with all
-- that are to be held.
CREATE OR REPLACE FUNCTION hold_jobs(boot bigint, job_ids bigint[], job_claims bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off SET lock_timeout = '1s' AS $$
DECLARE
    held bigint[];
BEGIN
    SELECT coalesce(array_agg(h.id), '{}') INTO held
    FROM (SELECT u.id, u.claims FROM unnest(job_ids, job_claims) AS u(id, claims) ORDER BY u.id) AS t
    CROSS JOIN LATERAL (
        SELECT q.id FROM enrichment_queue AS q WHERE q.id = t.id AND q.claims = t.claims AND q.leased_by = boot FOR UPDATE
    ) AS h;
    RETURN held;
END $$;

CREATE OR REPLACE FUNCTION take_jobs(
    boot bigint, job_ids bigint[], job_claims bigint[], job_items bigint[],
    OUT taken bigint[], OUT items bigint[], OUT looks integer[], OUT priorities integer[])
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    held bigint[] := hold_jobs(boot, job_ids, job_claims);
BEGIN
    WITH gone AS (
        DELETE FROM enrichment_queue AS q WHERE q.id = ANY (held) RETURNING q.id, q.claims, q.reason, q.looks, q.priority
    ), item AS (
        SELECT t.item, max(CASE WHEN g.reason = 'not_ready' AND g.looks > 0 THEN least(g.looks, 1000) ELSE 0 END) AS looks,
               max(coalesce(g.priority, 0)) AS priority
        FROM gone AS g JOIN unnest(job_ids, job_claims, job_items) AS t(id, claims, item) ON t.id = g.id AND t.claims = g.claims
        GROUP BY t.item
    )
    SELECT coalesce((SELECT array_agg(g.id) FROM gone AS g), '{}'),
           coalesce(array_agg(i.item), '{}'), array_agg(i.looks), array_agg(i.priority)
    INTO taken, items, looks, priorities FROM item AS i;
END $$;

-- As in m0006; numbers say which of the documents, each of which has its looks and priority in parallel.
CREATE OR REPLACE FUNCTION plan_snapshots(
    numbers bigint[], ids text[], documents jsonb[], transcripts text[], observed text[], asked text[],
    request_ids text[], etags text[], api_versions text[], notes text[], looks integer[], priorities integer[],
    wanted text[], force boolean)
    RETURNS snapshot[] LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    planned snapshot[];
BEGIN
    SELECT array_agg(ROW(
        a.engagement_id, a.observed_at, etags[a.i], api_versions[a.i], request_ids[a.i],
        b.newest AND b.changed OR b.newest AND coalesce('owner' = ANY (p.changed), false),
        p.accepted, p.changed || CASE WHEN 'media_url' = ANY (p.accepted) THEN ARRAY['media_url'] ELSE '{}' END,
        b.newest AND (b.changed OR coalesce(p.gaps, '{}') <> g.gaps) OR cardinality(p.changed) > 0,
        b.digest, coalesce(e._parts, '{}') || coalesce(p.provenance, '{}'),
        CASE WHEN b.newest AND (b.changed OR cardinality(p.changed) > 0) THEN nullif(
            coalesce(base_issues(a.document), '[]') || coalesce(child_issues(a.document, p.accepted), '[]')
            || coalesce((SELECT jsonb_agg(jsonb_build_object('repaired', r)) FROM unnest(string_to_array(notes[a.i], ',')) AS r), '[]'), '[]') END,
        a.i, b.newest, p.gaps, a.looks, a.priority,
        a.looks > 0 OR b.newest AND (is_unfinished(a.status) OR coalesce(p.gaps ->> 'transcript' = 'not_ready', false))
            OR is_unfinished(e.processing_status) OR coalesce(g.gaps ->> 'transcript' = 'not_ready', false),
        CASE WHEN p.gaps IS NOT NULL THEN coalesce(json_timestamp(a.document -> 'start_at'), json_timestamp(a.document -> 'engagement_at'),
                                                   json_timestamp(a.document -> 'created_at')) END
        )::snapshot ORDER BY a.engagement_id)
    INTO planned
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
                       WHEN 'none' THEN force OR c.stored IS NULL OR c.stored ->> 'd' = k.digest
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
    ) AS p;
    RETURN planned;
END $$;

-- As in m0006, with the time that the plan read.
CREATE OR REPLACE FUNCTION write_gaps(snapshots snapshot[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    DELETE FROM engagement_gaps AS g USING unnest(snapshots) AS s
    WHERE s.newest AND g.engagement_id = s.engagement_id AND NOT coalesce(s.gaps, '{}') ? g.part;

    INSERT INTO engagement_gaps AS g (engagement_id, part, cause, scope, last_delivered_at, request_id, _occurred_at)
    SELECT s.engagement_id, m.part, m.cause, part_scope(m.part), (s.provenance -> m.part ->> 'o')::timestamptz, s.request_id, s.occurred_at
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

-- As in m0006. Plans are made without the parameters, of which a plan for each batch would hold a copy.
CREATE OR REPLACE FUNCTION ingest(
    boot bigint, job_ids bigint[], job_claims bigint[], job_documents bigint[],
    ids text[], sources text[], transcripts text[], observed text[], asked text[],
    request_ids text[], etags text[], api_versions text[], notes text[],
    wanted text[], force boolean)
    RETURNS TABLE (document bigint, outcome text, cause text, missing text, withheld text, lost text)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
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
    SELECT array_agg(CASE WHEN refusals[n] IS NOT NULL THEN refusals[n]
                          WHEN jsonb_typeof(documents[n]) IS DISTINCT FROM 'object' THEN 'not_an_object'
                          WHEN documents[n] ->> 'id' IS DISTINCT FROM ids[n] THEN 'other_document' END ORDER BY n)
    INTO refusals
    FROM generate_subscripts(ids, 1) AS n;

    SELECT j.taken, j.items, j.looks, j.priorities INTO taken, alive, looks, priorities
    FROM (SELECT array_agg(t.id) AS ids, array_agg(t.claims) AS claims, array_agg(t.item) AS items
          FROM unnest(job_ids, job_claims, job_documents) AS t(id, claims, item) WHERE refusals[t.item::integer] IS NULL) AS ours,
         take_jobs(boot, ours.ids, ours.claims, ours.items) AS j;

    IF cardinality(alive) > 0 THEN
        SELECT array_agg(ids[a.n::integer] ORDER BY a.o) INTO alive_ids FROM unnest(alive) WITH ORDINALITY AS a(n, o);
        PERFORM lock_engagements(alive_ids);
        snapshots := plan_snapshots(alive, ids, documents, transcripts, observed, asked, request_ids, etags, api_versions, notes,
                                    looks, priorities, wanted, force);

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
        PERFORM project(snapshots, documents, transcripts);
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
