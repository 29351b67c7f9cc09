-- project: the one place where a document becomes columns and children.
-- The statements are plpgsql, which keeps their plans; a SQL function is planned anew at each call.

-- One document to write, and what of it. Two callers make them: ingest, from the API, and reproject, from the stored _raws.
CREATE TYPE snapshot AS (
    engagement_id text,
    document      jsonb,
    transcript    text,
    observed_at   timestamptz,
    etag          text,
    api_version   text,
    request_id    text,
    base          boolean, -- write the columns of engagements from it
    entities      text[],  -- of these parts look at the entities: contacts change through other engagements, too
    parts         text[],  -- of these parts replace the children
    moved         boolean, -- something that people see changed: _changed_at moves
    digest        text,
    provenance    jsonb,   -- the new _parts
    issues        jsonb,
    n             bigint,  -- its place in the batch
    newest        boolean, -- no newer observation of the engagement is stored: its gaps hold
    gaps          jsonb,   -- part -> cause
    looks         integer, -- which look of ours at something not ready this is; 0: somebody else's job
    priority      integer, -- of its job
    watched       boolean  -- it is not ready, or was not: looks are to be arranged
);
COMMENT ON TYPE snapshot IS 'Internal: one document to write, and what of it.';

-- A subject of CRM associations with the association that it was delivered with, and when it was last seen before.
CREATE TYPE crm_subject AS (subject_type text, subject_id text, association jsonb, observed_at timestamptz, previously_at timestamptz);
COMMENT ON TYPE crm_subject IS 'Internal: the association that a subject was delivered with.';

-- OFFSET 0 here and below keeps the planner from flattening a subquery and computing its columns once a reference.

-- The items of a list part, with a key that is unique in its engagement: a repeated id counts once, the last wins;
-- equal items without id are one
-- link, and two action items or signals, which are numbered.
-- Without SET, so that it is inlined into the statements that use it; they pin the path.
CREATE FUNCTION list_items(snapshots snapshot[], part text)
    RETURNS TABLE (engagement_id text, key text, item jsonb, n bigint, observed_at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT DISTINCT ON (k.engagement_id, k.key) k.engagement_id, k.key, k.item, k.n, k.observed_at
    FROM (
        SELECT i.engagement_id, i.observed_at, i.item, i.n,
               CASE WHEN part IN ('action_items', 'signals') AND i.key LIKE 'digest\_%' AND jsonb_typeof(i.item -> 'id') IS DISTINCT FROM 'string'
                    THEN i.key || '_' || row_number() OVER (PARTITION BY i.engagement_id, i.key ORDER BY i.n)
                    ELSE i.key END AS key
        FROM (
            SELECT s.engagement_id, s.observed_at, e.item, e.n, item_key(e.item) AS key
            FROM unnest(snapshots) AS s, LATERAL jsonb_array_elements(s.document -> part) WITH ORDINALITY AS e(item, n)
            WHERE part = ANY (s.parts)
            OFFSET 0
        ) AS i
    ) AS k
    ORDER BY k.engagement_id, k.key, k.n DESC
$$;
COMMENT ON FUNCTION list_items IS 'Internal: the items of a list part with their keys.';

-- The entities of a part, each once, as its newest observation in the batch shows it.
CREATE FUNCTION entities(snapshots snapshot[], part text)
    RETURNS TABLE (id text, raw jsonb, observed_at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT DISTINCT ON (i.key) i.key, i.item, i.observed_at
    FROM (
        SELECT item_key(e.item) AS key, e.item, e.n, s.observed_at
        FROM unnest(snapshots) AS s,
             LATERAL jsonb_array_elements(CASE WHEN part = 'owner' THEN jsonb_build_array(s.document -> part) ELSE s.document -> part END)
                 WITH ORDINALITY AS e(item, n)
        WHERE part = ANY (s.entities) AND jsonb_typeof(e.item) = 'object'
        OFFSET 0
    ) AS i
    ORDER BY i.key, i.observed_at DESC, i.n DESC
$$;
COMMENT ON FUNCTION entities IS 'Internal: the entities of a part, each once.';

CREATE FUNCTION project_engagements(snapshots snapshot[]) RETURNS SETOF crm_subject LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
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
        FROM unnest(snapshots) AS s, LATERAL (SELECT s.document AS d) AS document
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
    SELECT 'engagement', s.engagement_id, s.document -> 'crm_association', s.observed_at, b._observed_at
    FROM unnest(snapshots) AS s LEFT JOIN before AS b ON b.id = s.engagement_id
    WHERE s.base;
END $$;
COMMENT ON FUNCTION project_engagements IS 'Internal: writes engagements.';

-- Entities are read first and written only when different and newer: ON CONFLICT DO UPDATE locks and logs a row even
-- when nothing changes. In id order, the tables in the order in which project calls these.
CREATE FUNCTION project_companies(snapshots snapshot[]) RETURNS SETOF crm_subject LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY WITH changed AS MATERIALIZED (
        SELECT n.id, n.raw, n.observed_at, o._observed_at AS previously_at
        FROM entities(snapshots, 'companies') AS n LEFT JOIN companies AS o ON o.id = n.id
        WHERE o.id IS NULL OR (o._observed_at <= n.observed_at AND o._raw <> n.raw)
    ), written AS (
        INSERT INTO companies AS o (id, name, domains, _raw, _observed_at)
        SELECT id, json_text(raw -> 'name'), raw -> 'domains', raw, observed_at FROM changed ORDER BY id
        ON CONFLICT (id) DO UPDATE SET
            name = excluded.name, domains = excluded.domains,
            _raw = excluded._raw, _observed_at = excluded._observed_at, _changed_at = now()
        WHERE o._observed_at <= excluded._observed_at AND o._raw <> excluded._raw
        RETURNING o.id
    )
    SELECT 'company', c.id, c.raw -> 'crm_association', c.observed_at, c.previously_at FROM written JOIN changed AS c USING (id);
END $$;
COMMENT ON FUNCTION project_companies IS 'Internal: writes companies.';

CREATE FUNCTION project_contacts(snapshots snapshot[]) RETURNS SETOF crm_subject LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY WITH changed AS MATERIALIZED (
        SELECT n.id, n.raw, n.observed_at, o._observed_at AS previously_at
        FROM entities(snapshots, 'contacts') AS n LEFT JOIN contacts AS o ON o.id = n.id
        WHERE o.id IS NULL OR (o._observed_at <= n.observed_at AND o._raw <> n.raw)
    ), written AS (
        INSERT INTO contacts AS o (id, first_name, last_name, primary_email, emails, company_id, _raw, _observed_at)
        SELECT id, json_text(raw -> 'first_name'), json_text(raw -> 'last_name'), primary_email(raw -> 'emails'), raw -> 'emails',
               json_text(raw #> '{company,id}'), raw, observed_at
        FROM changed ORDER BY id
        ON CONFLICT (id) DO UPDATE SET
            first_name = excluded.first_name, last_name = excluded.last_name, primary_email = excluded.primary_email,
            emails = excluded.emails, company_id = excluded.company_id,
            _raw = excluded._raw, _observed_at = excluded._observed_at, _changed_at = now()
        WHERE o._observed_at <= excluded._observed_at AND o._raw <> excluded._raw
        RETURNING o.id
    )
    SELECT 'contact', c.id, c.raw -> 'crm_association', c.observed_at, c.previously_at FROM written JOIN changed AS c USING (id);
END $$;
COMMENT ON FUNCTION project_contacts IS 'Internal: writes contacts.';

CREATE FUNCTION project_users(snapshots snapshot[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO users AS o (id, role, first_name, last_name, job_title, primary_email, emails, time_zone, created_at, updated_at,
                            last_activity_at, _raw, _observed_at)
    SELECT n.id, json_text(n.raw -> 'role'), json_text(n.raw -> 'first_name'), json_text(n.raw -> 'last_name'),
           json_text(n.raw -> 'job_title'), primary_email(n.raw -> 'emails'), n.raw -> 'emails', json_text(n.raw -> 'time_zone'),
           json_timestamp(n.raw -> 'created_at'), json_timestamp(n.raw -> 'updated_at'), json_timestamp(n.raw -> 'last_activity_at'),
           n.raw, n.observed_at
    FROM entities(snapshots, 'owner') AS n LEFT JOIN users AS o ON o.id = n.id
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

CREATE FUNCTION project_tags(snapshots snapshot[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO tags AS o (id, name, hex_color, description, auto_tagging_enabled, created_at, updated_at, _raw, _observed_at)
    SELECT n.id, json_text(n.raw -> 'name'), json_text(n.raw -> 'hex_color'), json_text(n.raw -> 'description'),
           json_boolean(n.raw -> 'auto_tagging_enabled'), json_timestamp(n.raw -> 'created_at'),
           json_timestamp(n.raw -> 'updated_at'), n.raw, n.observed_at
    FROM entities(snapshots, 'tags') AS n LEFT JOIN tags AS o ON o.id = n.id
    WHERE o.id IS NULL OR (o._observed_at <= n.observed_at AND o._raw <> n.raw)
    ORDER BY n.id
    ON CONFLICT (id) DO UPDATE SET
        name = excluded.name, hex_color = excluded.hex_color, description = excluded.description,
        auto_tagging_enabled = excluded.auto_tagging_enabled, created_at = excluded.created_at, updated_at = excluded.updated_at,
        _raw = excluded._raw, _observed_at = excluded._observed_at, _changed_at = now()
    WHERE o._observed_at <= excluded._observed_at AND o._raw <> excluded._raw;
END $$;
COMMENT ON FUNCTION project_tags IS 'Internal: writes tags.';
