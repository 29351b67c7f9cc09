-- The mapping from a document to columns has a name of its own for each table: the functions *_columns, in which each value is written down
-- once. project writes by them what was delivered, and reproject writes by them again what is stored, without a request, when a later version
-- maps more of it or otherwise.

-- Without SET, so that they are inlined into the statements that use them; these pin the path.

CREATE FUNCTION engagement_columns(d jsonb, times_fit boolean)
    RETURNS TABLE (object text, title text, engagement_type text, processing_status text, is_private boolean, created_at timestamptz, updated_at timestamptz,
                   description text, data_source text, is_internal boolean, engagement_at timestamptz, start_at timestamptz, end_at timestamptz,
                   duration_seconds integer, meeting_url text, external_url text, crm_association jsonb, host_user_id text) LANGUAGE sql STABLE AS $$
    SELECT json_text(d -> 'object'), json_text(d -> 'title'), json_text(d -> 'engagement_type'), json_text(d -> 'processing_status'),
           json_boolean(d -> 'is_private'), json_time(d -> 'created_at', times_fit), json_time(d -> 'updated_at', times_fit),
           json_text(d -> 'description'), json_text(d -> 'data_source'), json_boolean(d -> 'is_internal'),
           json_time(d -> 'engagement_at', times_fit), json_time(d -> 'start_at', times_fit), json_time(d -> 'end_at', times_fit),
           json_count(d -> 'duration_seconds'), json_text(d -> 'meeting_url'), json_text(d -> 'external_url'),
           CASE WHEN jsonb_typeof(d -> 'crm_association') = 'object' THEN d -> 'crm_association' END, json_text(d -> 'host_user_id')
$$;
COMMENT ON FUNCTION engagement_columns IS 'Internal: the columns of engagements from a document.';

CREATE FUNCTION company_columns(d jsonb, times_fit boolean) RETURNS TABLE (name text, domains jsonb) LANGUAGE sql STABLE AS $$
    SELECT json_text(d -> 'name'), json_list(d -> 'domains')
$$;
COMMENT ON FUNCTION company_columns IS 'Internal: the columns of companies from an item.';

CREATE FUNCTION contact_columns(d jsonb, times_fit boolean)
    RETURNS TABLE (first_name text, last_name text, primary_email text, emails jsonb, company_id text) LANGUAGE sql STABLE AS $$
    SELECT json_text(d -> 'first_name'), json_text(d -> 'last_name'), primary_email(d -> 'emails'), json_list(d -> 'emails'), json_text(d #> '{company,id}')
$$;
COMMENT ON FUNCTION contact_columns IS 'Internal: the columns of contacts from an item.';

CREATE FUNCTION user_columns(d jsonb, times_fit boolean)
    RETURNS TABLE (role text, first_name text, last_name text, job_title text, primary_email text, emails jsonb, time_zone text,
                   created_at timestamptz, updated_at timestamptz, last_activity_at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT json_text(d -> 'role'), json_text(d -> 'first_name'), json_text(d -> 'last_name'), json_text(d -> 'job_title'), primary_email(d -> 'emails'),
           json_list(d -> 'emails'), json_text(d -> 'time_zone'), json_time(d -> 'created_at', times_fit), json_time(d -> 'updated_at', times_fit),
           json_time(d -> 'last_activity_at', times_fit)
$$;
COMMENT ON FUNCTION user_columns IS 'Internal: the columns of users from an owner.';

CREATE FUNCTION tag_columns(d jsonb, times_fit boolean)
    RETURNS TABLE (name text, hex_color text, description text, auto_tagging_enabled boolean, created_at timestamptz, updated_at timestamptz)
    LANGUAGE sql STABLE AS $$
    SELECT json_text(d -> 'name'), json_text(d -> 'hex_color'), json_text(d -> 'description'), json_boolean(d -> 'auto_tagging_enabled'),
           json_time(d -> 'created_at', times_fit), json_time(d -> 'updated_at', times_fit)
$$;
COMMENT ON FUNCTION tag_columns IS 'Internal: the columns of tags from an item.';

CREATE FUNCTION action_item_columns(d jsonb, times_fit boolean)
    RETURNS TABLE (title text, text text, description text, status text, assignee_user_id text, due_at timestamptz, completed_at timestamptz,
                   created_at timestamptz, updated_at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT json_text(d -> 'title'), json_text(d -> 'text'), json_text(d -> 'description'), json_text(d -> 'status'), json_text(d -> 'assignee_user_id'),
           json_time(d -> 'due_at', times_fit), json_time(d -> 'completed_at', times_fit), json_time(d -> 'created_at', times_fit),
           json_time(d -> 'updated_at', times_fit)
$$;
COMMENT ON FUNCTION action_item_columns IS 'Internal: the columns of engagement_action_items from an item.';

CREATE FUNCTION signal_columns(d jsonb, times_fit boolean)
    RETURNS TABLE (type text, name text, title text, text text, description text, value text, created_at timestamptz, updated_at timestamptz)
    LANGUAGE sql STABLE AS $$
    SELECT json_text(d -> 'type'), json_text(d -> 'name'), json_text(d -> 'title'), json_text(d -> 'text'), json_text(d -> 'description'),
           json_text(d -> 'value'), json_time(d -> 'created_at', times_fit), json_time(d -> 'updated_at', times_fit)
$$;
COMMENT ON FUNCTION signal_columns IS 'Internal: the columns of engagement_signals from an item.';

-- As in m0017, by these.
CREATE OR REPLACE FUNCTION project_engagements(snapshots snapshot[], documents jsonb[]) RETURNS SETOF crm_subject
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY WITH before AS MATERIALIZED (
        SELECT e.id, e._observed_at FROM unnest(snapshots) AS s JOIN engagements AS e ON e.id = s.engagement_id WHERE s.base
    ), written AS (
        INSERT INTO engagements AS e (
            id, object, title, engagement_type, processing_status, is_private, created_at, updated_at, description, data_source,
            is_internal, engagement_at, start_at, end_at, duration_seconds, meeting_url, external_url, crm_association,
            owner_user_id, host_user_id,
            _raw, _digest, _parts, _api_version, _etag, _etag_parts, _request_id, _observed_at, _changed_at, _issues)
        SELECT s.engagement_id, c.object, c.title, c.engagement_type, c.processing_status, c.is_private, c.created_at, c.updated_at, c.description,
               c.data_source, c.is_internal, c.engagement_at, c.start_at, c.end_at, c.duration_seconds, c.meeting_url, c.external_url,
               c.crm_association,
               coalesce(json_text(d -> 'owner_user_id'), CASE WHEN 'owner' = ANY (s.entities) AND jsonb_typeof(d -> 'owner') = 'object' THEN item_key(d -> 'owner') END),
               c.host_user_id,
               without_parts(d), s.digest, s.provenance, s.api_version, s.etag, s.asked, s.request_id, s.observed_at, now(), s.issues
        FROM unnest(snapshots) AS s CROSS JOIN LATERAL (SELECT documents[s.n::integer] AS d) AS document
        CROSS JOIN LATERAL engagement_columns(d, s.times_fit) AS c
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
            _etag = excluded._etag, _etag_parts = excluded._etag_parts, _request_id = excluded._request_id, _observed_at = excluded._observed_at,
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

CREATE OR REPLACE FUNCTION project_companies(snapshots snapshot[], documents jsonb[]) RETURNS SETOF crm_subject
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
        SELECT n.id, c.name, c.domains, n.raw, n.observed_at FROM changed AS n CROSS JOIN LATERAL company_columns(n.raw, false) AS c ORDER BY n.id
        ON CONFLICT (id) DO UPDATE SET
            name = excluded.name, domains = excluded.domains,
            _raw = excluded._raw, _observed_at = excluded._observed_at, _changed_at = now()
        WHERE o._observed_at <= excluded._observed_at AND o._raw <> excluded._raw
        RETURNING o.id
    ), gone AS (
        DELETE FROM engagement_companies AS c USING unnest(snapshots) AS s
        WHERE 'companies' = ANY (s.parts) AND NOT s.is_new AND c.engagement_id = s.engagement_id
          AND NOT EXISTS (SELECT FROM item AS i WHERE i.engagement_id = c.engagement_id AND i.key = c.company_id)
    ), linked AS (
        INSERT INTO engagement_companies (engagement_id, company_id)
        SELECT i.engagement_id, i.key FROM item AS i
        WHERE i.is_changed AND (i.is_new OR NOT EXISTS (SELECT FROM engagement_companies AS c WHERE c.engagement_id = i.engagement_id AND c.company_id = i.key))
    )
    SELECT 'company', c.id, c.raw -> 'crm_association', c.observed_at, c.previously_at
    FROM changed AS c WHERE (c.id IN (SELECT w.id FROM written AS w)) IS TRUE;
END $$;

CREATE OR REPLACE FUNCTION project_contacts(snapshots snapshot[], documents jsonb[]) RETURNS SETOF crm_subject
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
        SELECT n.id, c.first_name, c.last_name, c.primary_email, c.emails, c.company_id, n.raw, n.observed_at
        FROM changed AS n CROSS JOIN LATERAL contact_columns(n.raw, false) AS c ORDER BY n.id
        ON CONFLICT (id) DO UPDATE SET
            first_name = excluded.first_name, last_name = excluded.last_name, primary_email = excluded.primary_email,
            emails = excluded.emails, company_id = excluded.company_id,
            _raw = excluded._raw, _observed_at = excluded._observed_at, _changed_at = now()
        WHERE o._observed_at <= excluded._observed_at AND o._raw <> excluded._raw
        RETURNING o.id
    ), gone AS (
        DELETE FROM engagement_contacts AS c USING unnest(snapshots) AS s
        WHERE 'contacts' = ANY (s.parts) AND NOT s.is_new AND c.engagement_id = s.engagement_id
          AND NOT EXISTS (SELECT FROM item AS i WHERE i.engagement_id = c.engagement_id AND i.key = c.contact_id)
    ), linked AS (
        INSERT INTO engagement_contacts (engagement_id, contact_id)
        SELECT i.engagement_id, i.key FROM item AS i
        WHERE i.is_changed AND (i.is_new OR NOT EXISTS (SELECT FROM engagement_contacts AS c WHERE c.engagement_id = i.engagement_id AND c.contact_id = i.key))
    )
    SELECT 'contact', c.id, c.raw -> 'crm_association', c.observed_at, c.previously_at
    FROM changed AS c WHERE (c.id IN (SELECT w.id FROM written AS w)) IS TRUE;
END $$;

CREATE OR REPLACE FUNCTION project_users(snapshots snapshot[], documents jsonb[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO users AS o (id, role, first_name, last_name, job_title, primary_email, emails, time_zone, created_at, updated_at,
                            last_activity_at, _raw, _observed_at)
    SELECT n.id, c.role, c.first_name, c.last_name, c.job_title, c.primary_email, c.emails, c.time_zone, c.created_at, c.updated_at, c.last_activity_at,
           n.raw, n.observed_at
    FROM (
        SELECT DISTINCT ON (i.id) i.id, i.raw, i.observed_at, i.times_fit
        FROM (
            SELECT item_key(d.owner) AS id, d.owner AS raw, s.observed_at, s.times_fit
            FROM unnest(snapshots) AS s, LATERAL (SELECT documents[s.n::integer] -> 'owner' AS owner) AS d
            WHERE 'owner' = ANY (s.entities) AND jsonb_typeof(d.owner) = 'object'
        ) AS i
        ORDER BY i.id, i.observed_at DESC
    ) AS n
    LEFT JOIN users AS o ON o.id = n.id
    CROSS JOIN LATERAL user_columns(n.raw, n.times_fit) AS c
    WHERE o.id IS NULL OR (o._observed_at <= n.observed_at AND o._raw <> n.raw)
    ORDER BY n.id
    ON CONFLICT (id) DO UPDATE SET
        role = excluded.role, first_name = excluded.first_name, last_name = excluded.last_name, job_title = excluded.job_title,
        primary_email = excluded.primary_email, emails = excluded.emails, time_zone = excluded.time_zone,
        created_at = excluded.created_at, updated_at = excluded.updated_at, last_activity_at = excluded.last_activity_at,
        _raw = excluded._raw, _observed_at = excluded._observed_at, _changed_at = now()
    WHERE o._observed_at <= excluded._observed_at AND o._raw <> excluded._raw;
END $$;

CREATE OR REPLACE FUNCTION project_tags(snapshots snapshot[], documents jsonb[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    WITH item AS MATERIALIZED (
        SELECT * FROM list_items(snapshots, documents, 'tags')
    ), gone AS (
        DELETE FROM engagement_tags AS c USING unnest(snapshots) AS s
        WHERE 'tags' = ANY (s.parts) AND NOT s.is_new AND c.engagement_id = s.engagement_id
          AND NOT EXISTS (SELECT FROM item AS i WHERE i.engagement_id = c.engagement_id AND i.key = c.tag_id)
    ), linked AS (
        INSERT INTO engagement_tags (engagement_id, tag_id)
        SELECT i.engagement_id, i.key FROM item AS i
        WHERE i.is_changed AND (i.is_new OR NOT EXISTS (SELECT FROM engagement_tags AS c WHERE c.engagement_id = i.engagement_id AND c.tag_id = i.key))
    )
    INSERT INTO tags AS o (id, name, hex_color, description, auto_tagging_enabled, created_at, updated_at, _raw, _observed_at)
    SELECT n.id, c.name, c.hex_color, c.description, c.auto_tagging_enabled, c.created_at, c.updated_at, n.raw, n.observed_at
    FROM (SELECT DISTINCT ON (i.key) i.key AS id, i.item AS raw, i.observed_at, i.times_fit FROM item AS i
          WHERE jsonb_typeof(i.item) = 'object' ORDER BY i.key, i.observed_at DESC, i.n DESC) AS n
    LEFT JOIN tags AS o ON o.id = n.id
    CROSS JOIN LATERAL tag_columns(n.raw, n.times_fit) AS c
    WHERE o.id IS NULL OR (o._observed_at <= n.observed_at AND o._raw <> n.raw)
    ORDER BY n.id
    ON CONFLICT (id) DO UPDATE SET
        name = excluded.name, hex_color = excluded.hex_color, description = excluded.description,
        auto_tagging_enabled = excluded.auto_tagging_enabled, created_at = excluded.created_at, updated_at = excluded.updated_at,
        _raw = excluded._raw, _observed_at = excluded._observed_at, _changed_at = now()
    WHERE o._observed_at <= excluded._observed_at AND o._raw <> excluded._raw;
END $$;

CREATE OR REPLACE FUNCTION project_action_items(snapshots snapshot[], documents jsonb[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    WITH wanted AS MATERIALIZED (SELECT * FROM list_items(snapshots, documents, 'action_items')),
    gone AS (
        DELETE FROM engagement_action_items AS c USING unnest(snapshots) AS s
        WHERE 'action_items' = ANY (s.parts) AND NOT s.is_new AND c.engagement_id = s.engagement_id
          AND NOT EXISTS (SELECT FROM wanted AS w WHERE w.engagement_id = c.engagement_id AND w.key = c.id)
    ), altered AS (
        UPDATE engagement_action_items AS c SET
            title = m.title, text = m.text, description = m.description, status = m.status, assignee_user_id = m.assignee_user_id,
            due_at = m.due_at, completed_at = m.completed_at, created_at = m.created_at, updated_at = m.updated_at,
            _position = w.n, _raw = w.item
        FROM wanted AS w CROSS JOIN LATERAL action_item_columns(w.item, w.times_fit) AS m
        WHERE NOT w.is_new AND c.engagement_id = w.engagement_id AND c.id = w.key AND (c._raw, c._position) IS DISTINCT FROM (w.item, w.n)
    )
    INSERT INTO engagement_action_items (
        engagement_id, id, title, text, description, status, assignee_user_id, due_at, completed_at, created_at, updated_at,
        _position, _raw, _first_seen_at)
    SELECT w.engagement_id, w.key, m.title, m.text, m.description, m.status, m.assignee_user_id, m.due_at, m.completed_at, m.created_at, m.updated_at,
           w.n, w.item, w.observed_at
    FROM wanted AS w CROSS JOIN LATERAL action_item_columns(w.item, w.times_fit) AS m
    WHERE w.is_new OR NOT EXISTS (SELECT FROM engagement_action_items AS c WHERE c.engagement_id = w.engagement_id AND c.id = w.key);
END $$;

CREATE OR REPLACE FUNCTION project_signals(snapshots snapshot[], documents jsonb[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    WITH wanted AS MATERIALIZED (SELECT * FROM list_items(snapshots, documents, 'signals')),
    gone AS (
        DELETE FROM engagement_signals AS c USING unnest(snapshots) AS s
        WHERE 'signals' = ANY (s.parts) AND NOT s.is_new AND c.engagement_id = s.engagement_id
          AND NOT EXISTS (SELECT FROM wanted AS w WHERE w.engagement_id = c.engagement_id AND w.key = c.id)
    ), altered AS (
        UPDATE engagement_signals AS c SET
            type = m.type, name = m.name, title = m.title, text = m.text, description = m.description, value = m.value,
            created_at = m.created_at, updated_at = m.updated_at, _position = w.n, _raw = w.item
        FROM wanted AS w CROSS JOIN LATERAL signal_columns(w.item, w.times_fit) AS m
        WHERE NOT w.is_new AND c.engagement_id = w.engagement_id AND c.id = w.key AND (c._raw, c._position) IS DISTINCT FROM (w.item, w.n)
    )
    INSERT INTO engagement_signals (
        engagement_id, id, type, name, title, text, description, value, created_at, updated_at, _position, _raw, _first_seen_at)
    SELECT w.engagement_id, w.key, m.type, m.name, m.title, m.text, m.description, m.value, m.created_at, m.updated_at, w.n, w.item, w.observed_at
    FROM wanted AS w CROSS JOIN LATERAL signal_columns(w.item, w.times_fit) AS m
    WHERE w.is_new OR NOT EXISTS (SELECT FROM engagement_signals AS c WHERE c.engagement_id = w.engagement_id AND c.id = w.key);
END $$;

-- What a mapping names, for statements that are made from it.
CREATE FUNCTION mapping_columns(mapping text) RETURNS text[] LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT array_agg(quote_ident(a.name) ORDER BY a.n)
    FROM pg_proc AS p CROSS JOIN LATERAL unnest(p.proargnames, p.proargmodes) WITH ORDINALITY AS a(name, mode, n)
    WHERE p.pronamespace = to_regnamespace(quote_ident(current_schema())) AND p.proname = mapping AND a.mode = 't'
$$;
COMMENT ON FUNCTION mapping_columns IS 'Internal: the columns that a mapping fills.';

-- A slice of a table, in the order of its key, behind the key $2: rows that the mapping would write otherwise by now are written so, unless it is to
-- be a dry run. The last key that was looked at (NULL: there is no more behind it), and how many rows differ. An engagement whose row or children
-- change moves its _changed_at, nothing else of it; no queue, gap or observation is touched. An answer that comes meanwhile is written by the
-- same mapping.
CREATE FUNCTION reproject(relation text, after text, most bigint, is_dry boolean, OUT last text, OUT looked bigint, OUT changed bigint)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    mapping text := CASE relation
        WHEN 'engagements' THEN 'engagement_columns' WHEN 'companies' THEN 'company_columns' WHEN 'contacts' THEN 'contact_columns'
        WHEN 'users' THEN 'user_columns' WHEN 'tags' THEN 'tag_columns' WHEN 'engagement_action_items' THEN 'action_item_columns'
        WHEN 'engagement_signals' THEN 'signal_columns' END;
    is_child boolean := relation IN ('engagement_action_items', 'engagement_signals');
    is_entity boolean := relation IN ('companies', 'contacts', 'users', 'tags');
    key text := CASE WHEN is_child THEN 'engagement_id' ELSE 'id' END;
    names text[] := mapping_columns(mapping);
    differs text := format('(%s) IS DISTINCT FROM (%s)', 'o.' || array_to_string(names, ', o.'), 'c.' || array_to_string(names, ', c.'));
    keys text[];
    differing text[];
    subjects crm_subject[];
BEGIN
    -- Children by their engagements.
    EXECUTE format('SELECT array_agg(k.id ORDER BY k.id) FROM (SELECT t.id FROM %I AS t WHERE t.id > $1 ORDER BY t.id LIMIT $2) AS k',
                   CASE WHEN is_child THEN 'engagements' ELSE relation END) INTO keys USING after, most;
    looked := coalesce(cardinality(keys), 0);
    last := CASE WHEN looked = most THEN keys[looked] END;
    EXECUTE format('SELECT array_agg(o.%I), count(*) FROM %I AS o CROSS JOIN LATERAL %I(o._raw, false) AS c WHERE o.%I = ANY ($1) AND %s',
                   key, relation, mapping, key, differs) INTO differing, changed USING keys;
    IF is_dry OR changed = 0 THEN
        RETURN;
    END IF;
    -- In the order of ingest.
    PERFORM lock_writing(false);
    IF NOT is_entity THEN
        PERFORM lock_engagements(differing);
    END IF;
    -- Not what somebody has written otherwise since.
    EXECUTE format('UPDATE %I AS o SET %s%s FROM %I AS s CROSS JOIN LATERAL %I(s._raw, false) AS c WHERE s.%I = ANY ($1) AND o.%I = s.%I AND o.id = s.id AND o._raw = s._raw AND %s',
                   relation, (SELECT string_agg(format('%s = c.%s', n, n), ', ') FROM unnest(names) AS n),
                   CASE WHEN NOT is_child THEN ', _changed_at = now()' ELSE '' END, relation, mapping, key, key, key, differs) USING differing;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF is_child THEN
        UPDATE engagements AS e SET _changed_at = now() WHERE e.id = ANY (differing);
    END IF;
    IF relation IN ('engagements', 'companies', 'contacts') THEN
        EXECUTE format('SELECT array_agg(ROW(%L, t.id, t._raw -> ''crm_association'', t._observed_at, t._observed_at)::crm_subject) FROM %I AS t WHERE t.id = ANY ($1)',
                       CASE relation WHEN 'engagements' THEN 'engagement' WHEN 'companies' THEN 'company' ELSE 'contact' END, relation) INTO subjects USING differing;
        PERFORM project_crm(subjects);
    END IF;
END $$;
COMMENT ON FUNCTION reproject IS 'Internal: writes a slice of a table again from what was delivered.';
