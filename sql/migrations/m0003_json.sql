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
