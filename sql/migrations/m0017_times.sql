-- Times are looked at all together: a regular expression builds its automaton anew each time, which costs some 5 us, and then hardly
-- anything for each further time. Nearly always all of a batch fit, and each is a plain cast then.

ALTER TYPE snapshot ADD ATTRIBUTE times_fit boolean, ADD ATTRIBUTE asked text[], ADD ATTRIBUTE is_new boolean;

ALTER TABLE engagements ADD COLUMN _etag_parts text[];
COMMENT ON COLUMN engagements._etag_parts IS 'The parts that the request asked for whose answer had _etag.';

DROP FUNCTION list_items(snapshot[], jsonb[], text);

-- Everything in the document that has to be a time or null, as lists of JSON one after the other.
CREATE FUNCTION json_times(document jsonb) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT concat(
        jsonb_build_array(
            document -> 'created_at', document -> 'updated_at', document -> 'engagement_at', document -> 'start_at', document -> 'end_at',
            document #> '{owner,created_at}', document #> '{owner,updated_at}', document #> '{owner,last_activity_at}'),
        jsonb_path_query_array(document, '$.action_items[*].due_at'), jsonb_path_query_array(document, '$.action_items[*].completed_at'),
        jsonb_path_query_array(document, '$.action_items[*].created_at'), jsonb_path_query_array(document, '$.action_items[*].updated_at'),
        jsonb_path_query_array(document, '$.signals[*].created_at'), jsonb_path_query_array(document, '$.signals[*].updated_at'),
        jsonb_path_query_array(document, '$.tags[*].created_at'), jsonb_path_query_array(document, '$.tags[*].updated_at'))
$$;
COMMENT ON FUNCTION json_times IS 'Internal: the times of a document.';

-- True if each of them is null, or can be cast as it is. False for what has to be looked at one by one: the 29th of February, a leap
-- second, a year below 1000 are as good as what is none.
CREATE FUNCTION are_times(times text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT times ~ '^(\[(("[1-9][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])"|null)(, )?)*\])+$'
$$;
COMMENT ON FUNCTION are_times IS 'Internal: whether all times of documents can be cast as they are.';

CREATE FUNCTION json_time(j jsonb, fits boolean) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN fits THEN (j #>> '{}')::timestamptz ELSE json_timestamp(j) END
$$;
COMMENT ON FUNCTION json_time IS 'Internal: a time of a document, of which it is known whether all of them fit.';

-- Where the times fit this answers for nearly all documents; the functions of m0016 and m0003 look at each value of the others.
CREATE FUNCTION base_issues(document jsonb, times_fit boolean) RETURNS jsonb LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
    IF times_fit AND coalesce(jsonb_typeof(document -> 'crm_association') = 'null'
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
    THEN
        RETURN NULL;
    END IF;
    RETURN base_issues(document);
END $$;
COMMENT ON FUNCTION base_issues(jsonb, boolean) IS 'Internal: the base fields whose value does not fit its column.';

CREATE FUNCTION child_issues(document jsonb, delivered text[], times_fit boolean) RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    IF times_fit AND NOT coalesce(
        'companies' = ANY (delivered) AND jsonb_path_exists(document, '$.companies[*] ? ((@.name.type() != "string" && @.name.type() != "null")
                || (@.domains.type() != "array" && @.domains.type() != "null"))', silent => true)
        OR 'contacts' = ANY (delivered) AND jsonb_path_exists(document, '$.contacts[*] ? ((@.first_name.type() != "string" && @.first_name.type() != "null")
                || (@.last_name.type() != "string" && @.last_name.type() != "null")
                || (@.emails.type() != "array" && @.emails.type() != "null")
                || (@.company.type() != "object" && @.company.type() != "null"))', silent => true)
        OR 'owner' = ANY (delivered) AND jsonb_path_exists(document, '$.owner ? ((@.role.type() != "string" && @.role.type() != "null")
                || (@.first_name.type() != "string" && @.first_name.type() != "null")
                || (@.last_name.type() != "string" && @.last_name.type() != "null")
                || (@.job_title.type() != "string" && @.job_title.type() != "null")
                || (@.time_zone.type() != "string" && @.time_zone.type() != "null")
                || (@.emails.type() != "array" && @.emails.type() != "null"))', silent => true)
        OR 'action_items' = ANY (delivered) AND jsonb_path_exists(document, '$.action_items[*] ? ((@.title.type() != "string" && @.title.type() != "null")
                || (@.text.type() != "string" && @.text.type() != "null")
                || (@.description.type() != "string" && @.description.type() != "null")
                || (@.status.type() != "string" && @.status.type() != "null")
                || (@.assignee_user_id.type() != "string" && @.assignee_user_id.type() != "null"))', silent => true)
        OR 'signals' = ANY (delivered) AND jsonb_path_exists(document, '$.signals[*] ? ((@.type.type() != "string" && @.type.type() != "null")
                || (@.name.type() != "string" && @.name.type() != "null")
                || (@.title.type() != "string" && @.title.type() != "null")
                || (@.text.type() != "string" && @.text.type() != "null")
                || (@.description.type() != "string" && @.description.type() != "null")
                || (@.value.type() != "string" && @.value.type() != "null"))', silent => true)
        OR 'tags' = ANY (delivered) AND jsonb_path_exists(document, '$.tags[*] ? ((@.name.type() != "string" && @.name.type() != "null")
                || (@.hex_color.type() != "string" && @.hex_color.type() != "null")
                || (@.description.type() != "string" && @.description.type() != "null")
                || (@.auto_tagging_enabled.type() != "boolean" && @.auto_tagging_enabled.type() != "null"))', silent => true), false) THEN
        RETURN NULL;
    END IF;
    RETURN child_issues(document, delivered);
END $$;
COMMENT ON FUNCTION child_issues(jsonb, text[], boolean) IS 'Internal: the fields of children whose value does not fit its column.';

-- As in m0016, in an order that costs the same whatever the database's collation.
-- Without SET, so that it is inlined into the statements that use it; they pin the path.
CREATE FUNCTION list_items(snapshots snapshot[], documents jsonb[], part text)
    RETURNS TABLE (engagement_id text, key text, item jsonb, n bigint, observed_at timestamptz, is_changed boolean, times_fit boolean, is_new boolean) LANGUAGE sql STABLE AS $$
    SELECT DISTINCT ON (k.engagement_id COLLATE "C", k.key COLLATE "C") k.engagement_id, k.key, k.item, k.n, k.observed_at, k.is_changed, k.times_fit, k.is_new
    FROM (
        SELECT i.engagement_id, i.observed_at, i.item, i.n, i.is_changed, i.times_fit, i.is_new,
               CASE WHEN part IN ('action_items', 'signals') AND i.key LIKE 'digest\_%' AND jsonb_typeof(i.item -> 'id') IS DISTINCT FROM 'string'
                    THEN i.key || '_' || row_number() OVER (PARTITION BY i.engagement_id COLLATE "C", i.key COLLATE "C" ORDER BY i.n)
                    ELSE i.key END AS key
        FROM (
            SELECT s.engagement_id, s.observed_at, e.item, e.n, item_key(e.item) AS key, part = ANY (s.parts) AS is_changed, s.times_fit, s.is_new
            FROM unnest(snapshots) AS s, LATERAL jsonb_array_elements(documents[s.n::integer] -> part) WITH ORDINALITY AS e(item, n)
            WHERE part = ANY (CASE WHEN part IN ('action_items', 'signals') THEN s.parts ELSE s.entities END)
            OFFSET 0
        ) AS i
    ) AS k
    ORDER BY k.engagement_id COLLATE "C", k.key COLLATE "C", k.n DESC
$$;
COMMENT ON FUNCTION list_items IS 'Internal: the items of a list part with their keys.';

-- As in m0016; an owner without an id of its own is linked by the key that it has in users.
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
        SELECT s.engagement_id, json_text(d -> 'object'), json_text(d -> 'title'), json_text(d -> 'engagement_type'),
               json_text(d -> 'processing_status'), json_boolean(d -> 'is_private'),
               json_time(d -> 'created_at', s.times_fit), json_time(d -> 'updated_at', s.times_fit),
               json_text(d -> 'description'), json_text(d -> 'data_source'), json_boolean(d -> 'is_internal'),
               json_time(d -> 'engagement_at', s.times_fit), json_time(d -> 'start_at', s.times_fit), json_time(d -> 'end_at', s.times_fit),
               json_count(d -> 'duration_seconds'), json_text(d -> 'meeting_url'), json_text(d -> 'external_url'),
               CASE WHEN jsonb_typeof(d -> 'crm_association') = 'object' THEN d -> 'crm_association' END,
               coalesce(json_text(d -> 'owner_user_id'), CASE WHEN 'owner' = ANY (s.entities) AND jsonb_typeof(d -> 'owner') = 'object' THEN item_key(d -> 'owner') END),
               json_text(d -> 'host_user_id'),
               without_parts(d), s.digest, s.provenance, s.api_version, s.etag, s.asked, s.request_id, s.observed_at, now(), s.issues
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
        SELECT id, json_text(raw -> 'name'), json_list(raw -> 'domains'), raw, observed_at FROM changed ORDER BY id
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

-- As in m0016, with times_fit: this and the next three.
CREATE OR REPLACE FUNCTION project_users(snapshots snapshot[], documents jsonb[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO users AS o (id, role, first_name, last_name, job_title, primary_email, emails, time_zone, created_at, updated_at,
                            last_activity_at, _raw, _observed_at)
    SELECT n.id, json_text(n.raw -> 'role'), json_text(n.raw -> 'first_name'), json_text(n.raw -> 'last_name'),
           json_text(n.raw -> 'job_title'), primary_email(n.raw -> 'emails'), json_list(n.raw -> 'emails'), json_text(n.raw -> 'time_zone'),
           json_time(n.raw -> 'created_at', n.times_fit), json_time(n.raw -> 'updated_at', n.times_fit), json_time(n.raw -> 'last_activity_at', n.times_fit),
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
    SELECT n.id, json_text(n.raw -> 'name'), json_text(n.raw -> 'hex_color'), json_text(n.raw -> 'description'),
           json_boolean(n.raw -> 'auto_tagging_enabled'), json_time(n.raw -> 'created_at', n.times_fit),
           json_time(n.raw -> 'updated_at', n.times_fit), n.raw, n.observed_at
    FROM (SELECT DISTINCT ON (i.key) i.key AS id, i.item AS raw, i.observed_at, i.times_fit FROM item AS i
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
            title = json_text(i -> 'title'), text = json_text(i -> 'text'), description = json_text(i -> 'description'),
            status = json_text(i -> 'status'), assignee_user_id = json_text(i -> 'assignee_user_id'),
            due_at = json_time(i -> 'due_at', w.times_fit), completed_at = json_time(i -> 'completed_at', w.times_fit),
            created_at = json_time(i -> 'created_at', w.times_fit), updated_at = json_time(i -> 'updated_at', w.times_fit),
            _position = w.n, _raw = i
        FROM wanted AS w CROSS JOIN LATERAL (SELECT w.item AS i) AS item
        WHERE NOT w.is_new AND c.engagement_id = w.engagement_id AND c.id = w.key AND (c._raw, c._position) IS DISTINCT FROM (w.item, w.n)
    )
    INSERT INTO engagement_action_items (
        engagement_id, id, title, text, description, status, assignee_user_id, due_at, completed_at, created_at, updated_at,
        _position, _raw, _first_seen_at)
    SELECT w.engagement_id, w.key, json_text(i -> 'title'), json_text(i -> 'text'), json_text(i -> 'description'),
           json_text(i -> 'status'), json_text(i -> 'assignee_user_id'), json_time(i -> 'due_at', w.times_fit),
           json_time(i -> 'completed_at', w.times_fit), json_time(i -> 'created_at', w.times_fit),
           json_time(i -> 'updated_at', w.times_fit), w.n, i, w.observed_at
    FROM wanted AS w CROSS JOIN LATERAL (SELECT w.item AS i) AS item
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
            type = json_text(i -> 'type'), name = json_text(i -> 'name'), title = json_text(i -> 'title'),
            text = json_text(i -> 'text'), description = json_text(i -> 'description'), value = json_text(i -> 'value'),
            created_at = json_time(i -> 'created_at', w.times_fit), updated_at = json_time(i -> 'updated_at', w.times_fit),
            _position = w.n, _raw = i
        FROM wanted AS w CROSS JOIN LATERAL (SELECT w.item AS i) AS item
        WHERE NOT w.is_new AND c.engagement_id = w.engagement_id AND c.id = w.key AND (c._raw, c._position) IS DISTINCT FROM (w.item, w.n)
    )
    INSERT INTO engagement_signals (
        engagement_id, id, type, name, title, text, description, value, created_at, updated_at, _position, _raw, _first_seen_at)
    SELECT w.engagement_id, w.key, json_text(i -> 'type'), json_text(i -> 'name'), json_text(i -> 'title'),
           json_text(i -> 'text'), json_text(i -> 'description'), json_text(i -> 'value'),
           json_time(i -> 'created_at', w.times_fit), json_time(i -> 'updated_at', w.times_fit), w.n, i, w.observed_at
    FROM wanted AS w CROSS JOIN LATERAL (SELECT w.item AS i) AS item
    WHERE w.is_new OR NOT EXISTS (SELECT FROM engagement_signals AS c WHERE c.engagement_id = w.engagement_id AND c.id = w.key);
END $$;

-- As in m0016, with times_fit.
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

-- The entities of a part that another engagement's answer has shown otherwise since then, or that somebody deleted. An answer may be
-- written after one that was observed later: who asks goes back by the longest lease and a little more. (Fetched whole, an engagement
-- is compared with all its entities at once: asking this first was no faster.)
-- Without SET, so that it is inlined into the statements that use it; they pin the path.
CREATE FUNCTION newer_entities(engagement text, part text, since timestamptz) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT l.company_id FROM engagement_companies AS l LEFT JOIN companies AS o ON o.id = l.company_id
    WHERE part = 'companies' AND l.engagement_id = engagement AND (o.id IS NULL OR o._observed_at > since)
    UNION ALL
    SELECT l.contact_id FROM engagement_contacts AS l LEFT JOIN contacts AS o ON o.id = l.contact_id
    WHERE part = 'contacts' AND l.engagement_id = engagement AND (o.id IS NULL OR o._observed_at > since)
    UNION ALL
    SELECT l.tag_id FROM engagement_tags AS l LEFT JOIN tags AS o ON o.id = l.tag_id
    WHERE part = 'tags' AND l.engagement_id = engagement AND (o.id IS NULL OR o._observed_at > since)
    UNION ALL
    SELECT e.owner_user_id FROM engagements AS e LEFT JOIN users AS o ON o.id = e.owner_user_id
    WHERE part = 'owner' AND e.id = engagement AND e.owner_user_id IS NOT NULL AND (o.id IS NULL OR o._observed_at > since)
$$;
COMMENT ON FUNCTION newer_entities IS 'Internal: entities of a part that another engagement has shown otherwise since.';

-- The row is still what the source gave that tag, when it was asked for these parts.
CREATE FUNCTION holds_etag(e engagements, etag text, asked text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT e._etag = holds_etag.etag AND e._etag_parts @> string_to_array(holds_etag.asked, ',') AND e._etag_parts <@ string_to_array(holds_etag.asked, ',')
       AND e._deleted_at IS NULL AND e._unreadable_since IS NULL
$$;
COMMENT ON FUNCTION holds_etag IS 'Internal: whether an engagement is as it was delivered with an ETag.';

-- None for what is not whole as far as the credential reaches: each wanted part is one of the tag's and stored, or a gap for want of a
-- scope that nothing is on its way to fill. None for what is hidden or in progress, nor where an entity may have been shown otherwise
-- since. An ETag that is no plain ASCII cannot be sent.
CREATE FUNCTION stored_etags(ids text[], wanted text[]) RETURNS TABLE (id text, etag text, parts text)
    LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT e.id, e._etag, array_to_string(e._etag_parts, ',')
    FROM engagements AS e
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(g.part), '{}') AS denied, coalesce(bool_and(g.cause = 'scope_denied' AND g._queued_at IS NULL), true) AS wait
        FROM engagement_gaps AS g WHERE g.engagement_id = e.id
    ) AS gaps
    WHERE e.id = ANY (ids) AND e._etag ~ '^[!-~]+$' AND e._parts ?& e._etag_parts AND NOT 'media_url' = ANY (e._etag_parts)
      AND gaps.wait AND NOT gaps.denied && e._etag_parts
      AND gaps.denied || e._etag_parts @> wanted AND gaps.denied || e._etag_parts <@ wanted
      AND e._deleted_at IS NULL AND e._unreadable_since IS NULL AND NOT is_unfinished(e.processing_status)
      AND NOT EXISTS (SELECT FROM jsonb_each(e._parts) AS p(part, stored)
                      CROSS JOIN LATERAL newer_entities(e.id, p.part, (p.stored ->> 'o')::timestamptz - interval '11 minutes'));
END $$;
COMMENT ON FUNCTION stored_etags IS 'Internal: the ETags that requests may name.';

-- The source said of these (304) that they are as they were: observed now, and nothing else. The caller holds their locks.
CREATE FUNCTION confirm(numbers bigint[], ids text[], observed text[], etags text[], asked text[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    n bigint;
BEGIN
    UPDATE engagements AS e SET
        _observed_at = greatest(e._observed_at, c.observed_at),
        -- An older answer that comes late is older than this, too.
        _parts = e._parts || (
            SELECT coalesce(jsonb_object_agg(p.part, p.stored || jsonb_build_object('o', greatest((p.stored ->> 'o')::timestamptz, c.observed_at))), '{}')
            FROM jsonb_each(e._parts) AS p(part, stored)
            -- What was shown otherwise meanwhile has to be compared the next time.
            WHERE p.part = ANY (e._etag_parts) AND NOT EXISTS (SELECT FROM newer_entities(e.id, p.part, (p.stored ->> 'o')::timestamptz)))
    FROM (SELECT ids[t.n] AS id, observed[t.n]::timestamptz AS observed_at, etags[t.n] AS etag, asked[t.n] AS asked
          FROM unnest(numbers) AS t(n)) AS c
    WHERE e.id = c.id AND holds_etag(e, c.etag, c.asked);
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n < cardinality(numbers) THEN
        RAISE serialization_failure USING MESSAGE = 'an engagement changed that was found to be unchanged';
    END IF;
END $$;
COMMENT ON FUNCTION confirm IS 'Internal: engagements that the source says are unchanged.';

-- As in m0016; a source that is NULL stands for an answer (304) that the engagement is as the row says that has this ETag.
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
    same bigint[];
    snapshots snapshot[];
BEGIN
    SELECT p.documents, p.refusals INTO documents, refusals FROM parse_documents(sources) AS p;
    SELECT array_agg(CASE WHEN refusals[n] IS NOT NULL THEN refusals[n]
                          WHEN sources[n] IS NULL THEN CASE WHEN NOT EXISTS (
                              SELECT FROM engagements AS e WHERE e.id = ids[n] AND holds_etag(e, etags[n], asked[n])) THEN 'not_stored' END
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
        -- Those that are as they were need no plan.
        SELECT array_agg(a.n) FILTER (WHERE sources[a.n] IS NULL), array_agg(a.n) FILTER (WHERE sources[a.n] IS NOT NULL),
               array_agg(a.looks) FILTER (WHERE sources[a.n] IS NOT NULL), array_agg(a.priority) FILTER (WHERE sources[a.n] IS NOT NULL)
        INTO same, alive, looks, priorities
        FROM unnest(alive, looks, priorities) AS a(n, looks, priority);
        IF same IS NOT NULL THEN
            PERFORM confirm(same, ids, observed, etags, asked);
        END IF;
        IF alive IS NOT NULL THEN
            snapshots := plan_snapshots(alive, ids, documents, transcripts, observed, asked, request_ids, etags, api_versions, notes,
                                        looks, priorities, wanted, force);

            UPDATE engagements AS e SET
                _observed_at = CASE WHEN s.newest THEN s.observed_at ELSE e._observed_at END,
                _etag = CASE WHEN s.newest THEN s.etag ELSE e._etag END,
                _etag_parts = CASE WHEN s.newest THEN s.asked ELSE e._etag_parts END,
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
                WHEN t.n = ANY (same) THEN CASE WHEN g.parts IS NULL THEN 'unchanged' ELSE 'partial' END
                WHEN s.n IS NULL THEN 'lease_lost'
                WHEN NOT s.newest AND cardinality(s.entities) = 0 THEN 'superseded'
                WHEN s.newest AND jsonb_path_exists(s.gaps, '$.* ? (@ != "not_ready")') THEN 'partial'
                WHEN s.moved THEN 'enriched'
                ELSE 'unchanged' END,
           t.refusal,
           coalesce((SELECT string_agg(m, ',' ORDER BY m) FROM jsonb_object_keys(s.gaps) AS m), g.parts),
           (SELECT string_agg(m.part, ',') FROM jsonb_each_text(s.gaps) AS m(part, why) WHERE m.why = 'not_delivered'),
           (SELECT string_agg(j.id::text, ',') FROM unnest(job_ids, job_documents) AS j(id, item)
            WHERE j.item = t.n AND t.refusal IS NULL AND j.id <> ALL (taken))
    FROM unnest(refusals) WITH ORDINALITY AS t(refusal, n) LEFT JOIN unnest(snapshots) AS s ON s.n = t.n
    -- What was missing before is missing still.
    LEFT JOIN LATERAL (
        SELECT string_agg(o.part, ',' ORDER BY o.part) AS parts FROM engagement_gaps AS o
        WHERE t.n = ANY (same) AND o.engagement_id = ids[t.n]
    ) AS g ON true;
END $$;
