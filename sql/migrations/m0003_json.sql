-- From JSON to values. A value that does not fit its column becomes NULL here and an entry in _issues there.
-- These functions use nothing of ours, so they pin no search_path: their callers do, and the simple ones stay inlinable
-- (one that calls something STABLE, such as convert_to, must be STABLE itself for that).

CREATE FUNCTION json_text(j jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(j) = 'string' THEN j #>> '{}' END
$$;
COMMENT ON FUNCTION json_text IS 'Internal: a JSON string as text; NULL for any other value.';

CREATE FUNCTION json_boolean(j jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE jsonb_typeof(j) WHEN 'boolean' THEN j::boolean END
$$;
COMMENT ON FUNCTION json_boolean IS 'Internal: a JSON boolean; NULL for any other value.';

-- A count: 0 … 2^31-1. 12.0 is 12.
CREATE FUNCTION json_count(j jsonb) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(j) = 'number' THEN
        CASE WHEN j::numeric BETWEEN 0 AND 2147483647 AND trunc(j::numeric) = j::numeric THEN j::integer END
    END
$$;
COMMENT ON FUNCTION json_count IS 'Internal: a JSON number as a count; NULL for what does not fit.';

-- Strict ISO 8601 with a zone (API contract, section 1), and a day that exists. Postgres alone would also take
-- 'infinity', 'now', 'tomorrow' and 'epoch'. Not written in SQL: a function that is not inlined costs 10 us a call.
CREATE FUNCTION json_timestamp(j jsonb) RETURNS timestamptz LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    v text := CASE WHEN jsonb_typeof(j) = 'string' THEN j #>> '{}' END;
BEGIN
    IF v IS NULL OR v !~ '^(?!0000)\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?(Z|[+-](0\d|1[0-4]):[0-5]\d)$' THEN
        RETURN NULL;
    END IF;
    IF substr(v, 9, 2) <= '28' THEN
        RETURN v::timestamptz;
    END IF;
    BEGIN
        RETURN v::timestamptz;
    EXCEPTION WHEN datetime_field_overflow THEN
        RETURN NULL;
    END;
END $$;
COMMENT ON FUNCTION json_timestamp IS 'Internal: a strict ISO 8601 string as a time; NULL for any other value.';

-- A document without its expandable parts: what engagements._raw keeps.
CREATE FUNCTION without_parts(document jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT document - ARRAY['companies', 'contacts', 'owner', 'action_items', 'signals', 'transcript', 'media_url', 'tags']
$$;
COMMENT ON FUNCTION without_parts IS 'Internal: a document without its expandable parts.';

CREATE FUNCTION digest(v text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT left(encode(sha256(convert_to(v, 'UTF8')), 'hex'), 32)
$$;
COMMENT ON FUNCTION digest IS 'Internal: by which unchanged content is recognised.';

-- The key of a list item: its own id where that is a string that fits an index, else a digest of its content.
CREATE FUNCTION item_key(item jsonb) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(item -> 'id') = 'string' AND octet_length(item ->> 'id') BETWEEN 1 AND 255
        THEN item ->> 'id'
        ELSE 'digest_' || left(encode(sha256(convert_to(item::text, 'UTF8')), 'hex'), 32) END
$$;
COMMENT ON FUNCTION item_key IS 'Internal: the key of a list item.';

-- The address marked primary, else the first (API contract, section 5.3).
CREATE FUNCTION primary_email(emails jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(emails) = 'array' THEN (
        SELECT e ->> 'email'
        FROM jsonb_array_elements(emails) WITH ORDINALITY AS t(e, n)
        WHERE jsonb_typeof(e -> 'email') = 'string'
        ORDER BY (e -> 'is_primary' = 'true') DESC NULLS LAST, n
        LIMIT 1)
    END
$$;
COMMENT ON FUNCTION primary_email IS 'Internal: the e-mail marked primary, else the first.';

-- A document as jsonb, or the SQLSTATE for which Postgres refuses it. Cast here and not as a jsonb parameter, since a
-- parameter that cannot be read prints itself into the server's log.
CREATE FUNCTION parse_document(source text, OUT document jsonb, OUT refusal text)
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    document := source::jsonb;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    refusal := SQLSTATE;
END $$;
COMMENT ON FUNCTION parse_document IS 'Internal: a document as jsonb, or why Postgres refuses it.';

-- The same for a batch: all at once, and one by one only if one of them is bad.
CREATE FUNCTION parse_documents(sources text[], OUT documents jsonb[], OUT refusals text[])
    LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    documents := sources::jsonb[];
    refusals := array_fill(NULL::text, ARRAY[cardinality(sources)]);
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    SELECT array_agg(p.document ORDER BY s.n), array_agg(p.refusal ORDER BY s.n) INTO documents, refusals
    FROM unnest(sources) WITH ORDINALITY AS s(source, n), parse_document(s.source) AS p;
END $$;
COMMENT ON FUNCTION parse_documents IS 'Internal: the documents of a batch as jsonb, or why Postgres refuses them.';

-- The base fields of an engagement whose value does not fit its column, for _issues. NULL when all fit.
CREATE FUNCTION base_issues(document jsonb) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT jsonb_agg(jsonb_build_object('field', f.field, 'expected', f.expected) ORDER BY f.field)
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
          END
$$;
COMMENT ON FUNCTION base_issues IS 'Internal: the base fields whose value does not fit its column.';

-- The same for the children: part.field. Read in two steps, since nearly always everything fits: one path a part, which also
-- stops at times that are worth a closer look, and only then each value by itself.
CREATE FUNCTION child_issues(document jsonb, delivered text[]) RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    issues jsonb;
BEGIN
    IF NOT coalesce(
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
                || (@.emails.type() != "array" && @.emails.type() != "null")
                || (@.created_at.type() != "string" && @.created_at.type() != "null")
                || (@.created_at.type() == "string" && !(@.created_at like_regex "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z$"))
                || (@.updated_at.type() != "string" && @.updated_at.type() != "null")
                || (@.updated_at.type() == "string" && !(@.updated_at like_regex "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z$"))
                || (@.last_activity_at.type() != "string" && @.last_activity_at.type() != "null")
                || (@.last_activity_at.type() == "string" && !(@.last_activity_at like_regex "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z$")))', silent => true)
        OR 'action_items' = ANY (delivered) AND jsonb_path_exists(document, '$.action_items[*] ? ((@.title.type() != "string" && @.title.type() != "null")
                || (@.text.type() != "string" && @.text.type() != "null")
                || (@.description.type() != "string" && @.description.type() != "null")
                || (@.status.type() != "string" && @.status.type() != "null")
                || (@.assignee_user_id.type() != "string" && @.assignee_user_id.type() != "null")
                || (@.due_at.type() != "string" && @.due_at.type() != "null")
                || (@.due_at.type() == "string" && !(@.due_at like_regex "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z$"))
                || (@.completed_at.type() != "string" && @.completed_at.type() != "null")
                || (@.completed_at.type() == "string" && !(@.completed_at like_regex "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z$"))
                || (@.created_at.type() != "string" && @.created_at.type() != "null")
                || (@.created_at.type() == "string" && !(@.created_at like_regex "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z$"))
                || (@.updated_at.type() != "string" && @.updated_at.type() != "null")
                || (@.updated_at.type() == "string" && !(@.updated_at like_regex "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z$")))', silent => true)
        OR 'signals' = ANY (delivered) AND jsonb_path_exists(document, '$.signals[*] ? ((@.type.type() != "string" && @.type.type() != "null")
                || (@.name.type() != "string" && @.name.type() != "null")
                || (@.title.type() != "string" && @.title.type() != "null")
                || (@.text.type() != "string" && @.text.type() != "null")
                || (@.description.type() != "string" && @.description.type() != "null")
                || (@.value.type() != "string" && @.value.type() != "null")
                || (@.created_at.type() != "string" && @.created_at.type() != "null")
                || (@.created_at.type() == "string" && !(@.created_at like_regex "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z$"))
                || (@.updated_at.type() != "string" && @.updated_at.type() != "null")
                || (@.updated_at.type() == "string" && !(@.updated_at like_regex "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z$")))', silent => true)
        OR 'tags' = ANY (delivered) AND jsonb_path_exists(document, '$.tags[*] ? ((@.name.type() != "string" && @.name.type() != "null")
                || (@.hex_color.type() != "string" && @.hex_color.type() != "null")
                || (@.description.type() != "string" && @.description.type() != "null")
                || (@.auto_tagging_enabled.type() != "boolean" && @.auto_tagging_enabled.type() != "null")
                || (@.created_at.type() != "string" && @.created_at.type() != "null")
                || (@.created_at.type() == "string" && !(@.created_at like_regex "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z$"))
                || (@.updated_at.type() != "string" && @.updated_at.type() != "null")
                || (@.updated_at.type() == "string" && !(@.updated_at like_regex "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z$")))', silent => true), false) THEN
        RETURN NULL;
    END IF;
    SELECT jsonb_agg(DISTINCT jsonb_build_object('field', f.part || '.' || f.field, 'expected', f.expected))
    INTO issues
    FROM (
        VALUES ('companies', 'name', 'text'), ('companies', 'domains', 'array'), ('contacts', 'first_name', 'text'),
               ('contacts', 'last_name', 'text'), ('contacts', 'emails', 'array'), ('contacts', 'company', 'object'),
               ('owner', 'role', 'text'), ('owner', 'first_name', 'text'), ('owner', 'last_name', 'text'),
               ('owner', 'job_title', 'text'), ('owner', 'time_zone', 'text'), ('owner', 'emails', 'array'),
               ('owner', 'created_at', 'time'), ('owner', 'updated_at', 'time'), ('owner', 'last_activity_at', 'time'),
               ('action_items', 'title', 'text'), ('action_items', 'text', 'text'), ('action_items', 'description', 'text'),
               ('action_items', 'status', 'text'), ('action_items', 'assignee_user_id', 'text'),
               ('action_items', 'due_at', 'time'), ('action_items', 'completed_at', 'time'),
               ('action_items', 'created_at', 'time'), ('action_items', 'updated_at', 'time'), ('signals', 'type', 'text'),
               ('signals', 'name', 'text'), ('signals', 'title', 'text'), ('signals', 'text', 'text'),
               ('signals', 'description', 'text'), ('signals', 'value', 'text'), ('signals', 'created_at', 'time'),
               ('signals', 'updated_at', 'time'), ('tags', 'name', 'text'), ('tags', 'hex_color', 'text'),
               ('tags', 'description', 'text'), ('tags', 'auto_tagging_enabled', 'boolean'), ('tags', 'created_at', 'time'),
               ('tags', 'updated_at', 'time')
    ) AS f(part, field, expected)
    CROSS JOIN LATERAL jsonb_array_elements(
        CASE WHEN f.part = 'owner' THEN jsonb_build_array(document -> 'owner') ELSE document -> f.part END) AS item
    WHERE f.part = ANY (delivered) AND jsonb_typeof(item -> f.field) <> 'null'
      AND CASE f.expected
            WHEN 'text' THEN jsonb_typeof(item -> f.field) <> 'string'
            WHEN 'time' THEN json_timestamp(item -> f.field) IS NULL
            ELSE jsonb_typeof(item -> f.field) <> f.expected
          END;
    RETURN issues;
END $$;
COMMENT ON FUNCTION child_issues IS 'Internal: fields of delivered parts whose value does not fit its column.';
