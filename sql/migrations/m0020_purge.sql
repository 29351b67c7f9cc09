-- What was purged does not come back: of it only a keyed hash is kept.

ALTER TABLE control
    ADD COLUMN workspace text,
    ADD COLUMN transcripts_kept interval,
    ADD COLUMN outbox_kept interval NOT NULL DEFAULT '7 days',
    ADD COLUMN _hash_key text NOT NULL DEFAULT gen_random_uuid() || '-' || gen_random_uuid();
COMMENT ON COLUMN control.workspace IS 'The name that views show as _workspace; NULL: the schema''s.';
COMMENT ON COLUMN control.transcripts_kept IS 'Transcripts of engagements that took place longer ago are not kept (--retain-transcripts); NULL: all are.';
COMMENT ON COLUMN control.outbox_kept IS 'How long rows of the outbox are kept, if there is one (migrate --with-outbox). Yours to change.';
COMMENT ON COLUMN control._hash_key IS 'Key of the hashes in suppressions and of _key in views. Without it they say nothing.';

CREATE TABLE suppressions (
    key       text PRIMARY KEY,
    kind      text        NOT NULL,
    purged_at timestamptz NOT NULL DEFAULT now(),
    _with     text        NOT NULL
);
COMMENT ON TABLE suppressions IS 'What was purged, as keyed hashes: it is not stored again. "engagement-worker purge --forget" removes them.';
COMMENT ON COLUMN suppressions.key IS 'suppression_key() of what was purged.';
COMMENT ON COLUMN suppressions.kind IS 'engagement, contact, user or email.';
COMMENT ON COLUMN suppressions._with IS 'The key of what was named to the purge that this belongs to: both are forgotten together.';
CREATE INDEX suppressions_order ON suppressions (kind, purged_at);

CREATE TABLE purge_needles (
    kind     text        NOT NULL,
    needle   text        NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now(),
    _with    text        NOT NULL,
    PRIMARY KEY (kind, needle)
);
COMMENT ON TABLE purge_needles IS 'What a purge that is under way has to delete and to look for; empty once it has ended. One that was broken off is ended by the next.';
COMMENT ON COLUMN purge_needles.kind IS 'engagement, contact, user or email; mention: only to be looked for.';
COMMENT ON COLUMN purge_needles.needle IS 'An id or address.';
COMMENT ON COLUMN purge_needles._with IS 'As in suppressions.';

-- As HMAC does it: twice, with the key before both.
CREATE FUNCTION keyed_hash(secret text, kind text, value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT encode(sha256(convert_to(secret, 'UTF8') || sha256(convert_to(secret || ':' || kind || ':' || value, 'UTF8'))), 'hex')
$$;
COMMENT ON FUNCTION keyed_hash IS 'Internal: what stands for a value in suppressions.';

CREATE FUNCTION suppression_key(kind text, value text) RETURNS text LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT keyed_hash(c._hash_key, kind, CASE kind WHEN 'email' THEN lower(btrim(value)) ELSE value END) FROM control AS c
$$;
COMMENT ON FUNCTION suppression_key IS 'What stands for an engagement (kind engagement), contact or email in suppressions, and as _key in views: for copies of what was purged.';

CREATE FUNCTION is_suppressed(kind text, value text) RETURNS boolean LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT EXISTS (SELECT FROM suppressions AS s WHERE s.key = suppression_key(is_suppressed.kind, is_suppressed.value))
$$;
COMMENT ON FUNCTION is_suppressed IS 'Whether an engagement, contact or email was purged.';

-- Held shared by whatever writes what a purge would look for, and alone by a purge: what was read before it is not written after it.
-- Two keys: the shared locks of one key are workers' signs of life.
CREATE FUNCTION lock_writing(alone boolean) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF alone THEN
        PERFORM pg_advisory_xact_lock(hashtext(current_schema() || ':purge'), 0);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(hashtext(current_schema() || ':purge'), 0);
    END IF;
END $$;
COMMENT ON FUNCTION lock_writing IS 'Internal: orders purges and all other writers.';

-- What no address has, as a part of a bracket expression: spaces, brackets and the like, and typographic signs of all kinds.
CREATE FUNCTION address_ends() RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT '\s@<>()\[\]{},;:"/\\|=?&#!*^$`~\x01\u00a0\u00ab\u00b7\u00bb\u2000-\u206f\u2190-\u21ff\u2500-\u27bf\u3000-\u303f\uff00-\uff0f'
$$;
COMMENT ON FUNCTION address_ends IS 'Internal: characters between which an address stands.';

-- Ids and addresses in a text. Points, quotes and dashes around an address may not be its own, so it is looked for with and without them.
CREATE FUNCTION purgeable(source text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT ARRAY(
        SELECT DISTINCT c
        FROM regexp_matches(source, '((?:ngmt|cnt)_[A-Za-z0-9]+|[^' || address_ends() || ']{1,64}@[^' || address_ends() || '''%+_]{1,255})', 'g') AS m
        CROSS JOIN LATERAL unnest(ARRAY[m[1], btrim(m[1], '._%+''-')]) AS c)
$$;
COMMENT ON FUNCTION purgeable IS 'Internal: ids and addresses in a text.';

-- In JSON's text a letter may belong to an escape: a character that cannot stand there ends each.
CREATE FUNCTION marked(document jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(document::text, '\\(?:u[0-9a-f]{4}|.)', '\&' || chr(1), 'g')
$$;
COMMENT ON FUNCTION marked IS 'Internal: a document''s text, each escape of which ends with U+0001.';

-- Whatever form they have (no page shows all, U-10): those that stand in it, and each string whole.
CREATE FUNCTION addresses(person jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT ARRAY(
        SELECT DISTINCT a.value FROM (
            SELECT unnest(purgeable(marked(jsonb_build_array(person -> 'emails', person -> 'email', person -> 'primary_email')))) AS value
            UNION ALL
            SELECT coalesce(e ->> 'email', e #>> '{}') FROM jsonb_array_elements(CASE WHEN jsonb_typeof(person -> 'emails') = 'array' THEN person -> 'emails' END) AS e
            UNION ALL
            SELECT unnest(ARRAY[person ->> 'email', person ->> 'primary_email'])) AS a
        WHERE a.value LIKE '%@%' AND jsonb_typeof(person) = 'object')
$$;
COMMENT ON FUNCTION addresses IS 'Internal: the addresses of a contact or user, as delivered.';

CREATE FUNCTION purged_of(candidates text[]) RETURNS text[] LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    secret text := (SELECT c._hash_key FROM control AS c);
BEGIN
    RETURN ARRAY(
        SELECT c FROM unnest(candidates) AS c
        WHERE EXISTS (SELECT FROM suppressions AS s WHERE s.key = CASE
            WHEN c LIKE '%@%' THEN keyed_hash(secret, 'email', lower(btrim(c)))
            WHEN c LIKE 'ngmt\_%' THEN keyed_hash(secret, 'engagement', c)
            ELSE keyed_hash(secret, 'contact', c) END));
END $$;
COMMENT ON FUNCTION purged_of IS 'Internal: those that were purged.';

-- Where one stands by itself: an address not within a longer one, an id not within a longer word of letters and digits.
CREATE FUNCTION without(source text, tokens text[]) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT AS $$
DECLARE
    lowered text := lower(source);
    ends text := address_ends();
    token text;
    literal text;
BEGIN
    FOREACH token IN ARRAY tokens LOOP
        -- A regular expression for each would be compiled anew each time.
        CONTINUE WHEN strpos(lowered, lower(token)) = 0;
        literal := regexp_replace(token, '([^[:alnum:]])', '\\\1', 'g');
        IF token LIKE '%@%' THEN
            source := regexp_replace(
                source, '((?:^|[' || ends || '])[._%+''-]*)' || literal || '(?![.-]*[^' || ends || '''%+_.-])', '\1[purged]', 'gi');
        ELSE
            source := regexp_replace(source, '(^|[^A-Za-z0-9])' || literal || '(?![A-Za-z0-9])', '\1[purged]', 'g');
        END IF;
    END LOOP;
    RETURN source;
END $$;
COMMENT ON FUNCTION without(text, text[]) IS 'Internal: a text without these ids and addresses.';

CREATE FUNCTION without(document jsonb, tokens text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT replace(without(marked(document), tokens), chr(1), '')::jsonb
$$;
COMMENT ON FUNCTION without(jsonb, text[]) IS 'Internal: a document without these ids and addresses.';

CREATE FUNCTION redacted(source text) RETURNS text LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT without(source, purged_of(purgeable(source)))
$$;
COMMENT ON FUNCTION redacted(text) IS 'Internal: a text without what was purged.';

-- Objects of whose id or address one is among these, wherever they stand, are emptied.
CREATE FUNCTION without_persons(document jsonb, tokens text[]) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT AS $$
BEGIN
    IF jsonb_typeof(document) = 'array' THEN
        RETURN (SELECT coalesce(jsonb_agg(without_persons(e.item, tokens) ORDER BY e.n), '[]')
                FROM jsonb_array_elements(document) WITH ORDINALITY AS e(item, n));
    ELSIF jsonb_typeof(document) <> 'object' THEN
        RETURN document;
    ELSIF addresses(document) && tokens OR coalesce(document ->> 'id' = ANY (tokens), false) THEN
        RETURN '{}';
    END IF;
    RETURN (SELECT coalesce(jsonb_object_agg(m.key, without_persons(m.value, tokens)), '{}') FROM jsonb_each(document) AS m);
END $$;
COMMENT ON FUNCTION without_persons IS 'Internal: a document without the objects that are one of these.';

-- A purged contact is left out. Of a purged owner the id stays: the engagement is still theirs.
CREATE FUNCTION without_purged(document jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    contacts jsonb := CASE WHEN jsonb_typeof(document -> 'contacts') = 'array' THEN document -> 'contacts' END;
    owner jsonb := CASE WHEN jsonb_typeof(document -> 'owner') = 'object' THEN document -> 'owner' END;
    purged text[] := purged_of(purgeable(marked(document)) || ARRAY(
        -- Whole, in case they are no ids or addresses by our rule.
        SELECT v #>> '{}' FROM jsonb_path_query(document, 'lax $.contacts[*].id') AS v
        UNION ALL SELECT v #>> '{}' FROM jsonb_path_query(document, 'lax $.contacts[*].emails[*].email') AS v
        UNION ALL SELECT v #>> '{}' FROM jsonb_path_query(document, 'lax $.owner.emails[*].email') AS v));
BEGIN
    IF cardinality(purged) > 0 AND addresses(owner) && purged OR is_suppressed('user', owner ->> 'id') THEN
        document := jsonb_set(document, '{owner}', jsonb_build_object('id', owner -> 'id'));
    END IF;
    IF cardinality(purged) = 0 THEN
        RETURN document;
    END IF;
    IF contacts IS NOT NULL THEN
        document := jsonb_set(document, '{contacts}', coalesce((
            SELECT jsonb_agg(c.item ORDER BY c.n) FROM jsonb_array_elements(contacts) WITH ORDINALITY AS c(item, n)
            WHERE (addresses(c.item) || (c.item ->> 'id') && purged) IS NOT TRUE), '[]'));
    END IF;
    document := (SELECT jsonb_object_agg(m.key, without_persons(m.value, purged)) FROM jsonb_each(document) AS m);
    RETURN without(document, purged);
END $$;
COMMENT ON FUNCTION without_purged IS 'Internal: an engagement as delivered, without persons that were purged.';

-- From here on nothing of these is written again; what is stored goes in the next steps.
CREATE FUNCTION suppress(kinds text[], purged text[], named_with text) RETURNS void LANGUAGE plpgsql
    SET search_path FROM CURRENT SET lock_timeout = '10s' AS $$
BEGIN
    PERFORM lock_writing(true);
    INSERT INTO suppressions AS s (key, kind, _with)
    SELECT DISTINCT ON (1) suppression_key(t.kind, t.value), t.kind, named_with FROM unnest(kinds, purged) AS t(kind, value) ORDER BY 1
    ON CONFLICT (key) DO UPDATE SET purged_at = now(), _with = excluded._with;
    INSERT INTO purge_needles (kind, needle, _with)
    SELECT DISTINCT t.kind, CASE t.kind WHEN 'email' THEN lower(btrim(t.value)) ELSE t.value END, named_with
    FROM unnest(kinds, purged) AS t(kind, value) ORDER BY 1, 2
    ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION suppress IS 'Internal: keeps keyed hashes of what is purged.';

-- What is told of an engagement by its digests would hide that it is fetched whole again; and an answer that it is as it was (304) would.
CREATE FUNCTION forget_versions(ids text[]) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    n bigint;
BEGIN
    UPDATE engagements AS e SET
        _changed_at = now(), _digest = NULL, _etag = NULL, _etag_parts = NULL,
        -- That there is no transcript stays known.
        _parts = (SELECT coalesce(jsonb_object_agg(p.part, CASE WHEN p.part = 'transcript' AND p.stored ->> 'd' = digest('') THEN p.stored ELSE p.stored - 'd' END), '{}')
                  FROM jsonb_each(e._parts) AS p(part, stored))
    WHERE e.id = ANY (ids);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
COMMENT ON FUNCTION forget_versions IS 'Internal: these are written anew whatever is fetched next.';

-- An engagement, and the contacts and companies that no other one shows. What it returns is counted by kind.
CREATE FUNCTION purge_engagement(engagement text) RETURNS TABLE (kind text, n bigint)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET lock_timeout = '10s' AS $$
DECLARE
    contact_ids text[];
    company_ids text[];
    jobs bigint;
    rows bigint;
BEGIN
    PERFORM lock_writing(true);
    DELETE FROM enrichment_queue AS q WHERE left(q.engagement_id, 70) = left(engagement, 70) AND q.engagement_id = engagement;
    GET DIAGNOSTICS jobs = ROW_COUNT;
    DELETE FROM dead_letters AS d WHERE d.key = engagement OR d.engagement_id = engagement;
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN QUERY SELECT 'jobs', jobs + rows;

    contact_ids := ARRAY(SELECT l.contact_id FROM engagement_contacts AS l WHERE l.engagement_id = engagement);
    company_ids := ARRAY(SELECT l.company_id FROM engagement_companies AS l WHERE l.engagement_id = engagement);
    DELETE FROM engagements AS e WHERE e.id = engagement;
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN QUERY SELECT 'engagements', rows;

    contact_ids := ARRAY(SELECT c FROM unnest(contact_ids) AS c WHERE NOT EXISTS (SELECT FROM engagement_contacts AS l WHERE l.contact_id = c));
    company_ids := ARRAY(SELECT c FROM unnest(company_ids) AS c WHERE NOT EXISTS (SELECT FROM engagement_companies AS l WHERE l.company_id = c));
    INSERT INTO purge_needles (kind, needle, _with) SELECT DISTINCT 'mention', c, '' FROM unnest(contact_ids) AS c ORDER BY 2 ON CONFLICT DO NOTHING;
    DELETE FROM contacts AS c WHERE c.id = ANY (contact_ids);
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN QUERY SELECT 'contacts', rows;
    DELETE FROM companies AS c WHERE c.id = ANY (company_ids);
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN QUERY SELECT 'companies', rows;
    DELETE FROM entity_changes AS c
    WHERE c.kind = 'contact' AND c.entity_id = ANY (contact_ids) OR c.kind = 'company' AND c.entity_id = ANY (company_ids);
    DELETE FROM crm_associations AS a
    WHERE a.subject_type = 'engagement' AND a.subject_id = engagement OR a.subject_type = 'contact' AND a.subject_id = ANY (contact_ids)
       OR a.subject_type = 'company' AND a.subject_id = ANY (company_ids);
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN QUERY SELECT 'crm_associations', rows;
END $$;
COMMENT ON FUNCTION purge_engagement IS 'Internal: deletes an engagement.';

-- Who is meant: a contact by its id; by an address whoever has it, contacts and users (an owner, a host). With contacts go those of their
-- addresses that nobody else has. Reads all contacts and users.
CREATE FUNCTION purgeable_persons(contact text, address text) RETURNS TABLE (kind text, value text)
    LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    contact_ids text[] := array_remove(ARRAY[contact], NULL);
BEGIN
    IF address IS NOT NULL THEN
        contact_ids := ARRAY(SELECT c.id FROM contacts AS c WHERE lower(btrim(address)) IN (SELECT lower(btrim(a)) FROM unnest(addresses(c._raw)) AS a));
        RETURN QUERY SELECT 'user', u.id FROM users AS u WHERE lower(btrim(address)) IN (SELECT lower(btrim(a)) FROM unnest(addresses(u._raw)) AS a);
    END IF;
    RETURN QUERY SELECT 'contact', c FROM unnest(contact_ids) AS c;
    RETURN QUERY SELECT 'email', theirs.a FROM (
        SELECT lower(btrim(unnest(addresses(c._raw)))) AS a FROM contacts AS c WHERE c.id = ANY (contact_ids)
        EXCEPT SELECT lower(btrim(unnest(addresses(o._raw)))) FROM contacts AS o
        WHERE o.id <> ALL (contact_ids) AND NOT EXISTS (SELECT FROM purge_needles AS p WHERE p.kind = 'contact' AND p.needle = o.id)
        EXCEPT SELECT lower(btrim(unnest(addresses(u._raw)))) FROM users AS u) AS theirs
    WHERE theirs.a IS DISTINCT FROM lower(btrim(address));
END $$;
COMMENT ON FUNCTION purgeable_persons IS 'Internal: contacts, users and addresses that a purge of a person means.';

CREATE FUNCTION purge_persons(contact_ids text[], user_ids text[]) RETURNS TABLE (kind text, n bigint)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET lock_timeout = '10s' AS $$
DECLARE
    touched text[];
    rows bigint;
BEGIN
    PERFORM lock_writing(true);
    touched := ARRAY(SELECT l.engagement_id FROM engagement_contacts AS l WHERE l.contact_id = ANY (contact_ids)
                     UNION SELECT e.id FROM engagements AS e
                     WHERE cardinality(user_ids) > 0 AND (e.owner_user_id = ANY (user_ids) OR e.host_user_id = ANY (user_ids)));
    RETURN QUERY SELECT 'engagements changed', forget_versions(touched);
    DELETE FROM engagement_contacts AS l WHERE l.contact_id = ANY (contact_ids);
    DELETE FROM entity_changes AS c WHERE c.kind = 'contact' AND c.entity_id = ANY (contact_ids);
    DELETE FROM crm_associations AS a WHERE a.subject_type = 'contact' AND a.subject_id = ANY (contact_ids);
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN QUERY SELECT 'crm_associations', rows;
    DELETE FROM contacts AS c WHERE c.id = ANY (contact_ids);
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN QUERY SELECT 'contacts', rows;
    UPDATE users AS u SET role = NULL, first_name = NULL, last_name = NULL, job_title = NULL, primary_email = NULL, emails = NULL, time_zone = NULL,
        created_at = NULL, updated_at = NULL, last_activity_at = NULL, _raw = jsonb_build_object('id', u.id), _changed_at = now()
    WHERE u.id = ANY (user_ids);
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN QUERY SELECT 'users', rows;
END $$;
COMMENT ON FUNCTION purge_persons IS 'Internal: deletes contacts, and of users all but the id.';

-- Rows in which a needle stands, in any text or JSON that is no key: a slice of a table in the order of its key, which an update does
-- not change. The slice is read without a lock; hardly ever is anything found. last: where the next slice begins; NULL at the end.
CREATE FUNCTION redact_rows(relation text, after jsonb, most bigint, OUT n bigint, OUT last jsonb)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET lock_timeout = '10s' SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    -- Of users the id stays.
    needles text[] := ARRAY(SELECT DISTINCT p.needle FROM purge_needles AS p WHERE p.kind <> 'user');
    patterns text[] := ARRAY(SELECT '%' || regexp_replace(needle, '([\\%_])', '\\\1', 'g') || '%' FROM unnest(needles) AS needle);
    its oid := to_regclass(quote_ident(relation));
    columns text;
    beyond text;
    same text;
    key text;
    assignments text;
    conditions text;
    needed text;
    engagement text := 'NULL::text';
    hits jsonb[];
    hit jsonb;
    id text;
    count bigint;
BEGIN
    SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY k.n),
           format('(%s) > (%s)', string_agg(format('t.%I', a.attname), ', ' ORDER BY k.n),
                  string_agg(format('($2 ->> %s)::%s', k.n - 1, format_type(a.atttypid, NULL)), ', ' ORDER BY k.n)),
           string_agg(format('t.%I = ($2 ->> %s)::%s', a.attname, k.n - 1, format_type(a.atttypid, NULL)), ' AND '),
           format('jsonb_build_array(%s)', string_agg(format('t.%I::text', a.attname), ', ' ORDER BY k.n))
    INTO columns, beyond, same, key
    FROM pg_constraint AS c CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k(attnum, n)
    JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.attnum
    WHERE c.conrelid = its AND c.contype = 'p';

    SELECT string_agg(format('%1$I = without(t.%1$I, $1)', a.attname), ', '), string_agg(format('t.%I::text ILIKE ANY ($1)', a.attname), ' OR '),
           string_agg(format('without(t.%1$I, $1) IS DISTINCT FROM t.%1$I', a.attname), ' OR ')
    INTO assignments, conditions, needed
    FROM pg_attribute AS a
    WHERE a.attrelid = its AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.atttypid IN ('text'::regtype, 'jsonb'::regtype)
      -- A job of what is purged ends by itself.
      AND NOT (relation = 'enrichment_queue' AND a.attname = 'engagement_id')
      AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = its AND k.contype IN ('p', 'f') AND a.attnum = ANY (k.conkey));

    EXECUTE format(
        'WITH slice AS MATERIALIZED (
             SELECT %s AS key, (%s) AS is_hit, row_number() OVER (ORDER BY %s) AS r
             FROM (SELECT * FROM %I AS t WHERE %s ORDER BY %s LIMIT $3) AS t)
         SELECT max(r), (SELECT key FROM slice ORDER BY r DESC LIMIT 1), (SELECT array_agg(key ORDER BY r) FROM slice WHERE is_hit) FROM slice',
        key, coalesce(conditions, 'false'), columns, relation, CASE WHEN after IS NULL THEN 'true' ELSE beyond END, columns)
    INTO count, last, hits USING patterns, after, most;
    IF cardinality(hits) > 200 THEN
        hits := hits[1:200];
        last := hits[200];
    ELSIF count IS DISTINCT FROM most THEN
        last := NULL;
    END IF;
    n := 0;
    IF hits IS NULL THEN
        RETURN;
    END IF;

    PERFORM lock_writing(true);
    IF relation = 'engagements' THEN
        engagement := 't.id';
    ELSIF EXISTS (SELECT FROM pg_constraint AS c WHERE c.conrelid = its AND c.contype = 'f' AND c.confrelid = to_regclass('engagements')) THEN
        engagement := 't.engagement_id';
    ELSIF EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = its AND a.attname = '_changed_at') THEN
        -- As if observed now: an answer that the engagement is as it was (304) is not asked for then.
        assignments := assignments || ', _changed_at = now(), _observed_at = now()';
    END IF;
    FOREACH hit IN ARRAY hits LOOP
        BEGIN
            EXECUTE format('UPDATE %I AS t SET %s WHERE %s AND (%s) RETURNING %s', relation, assignments, same, needed, engagement)
            INTO id USING needles, hit;
        EXCEPTION WHEN unique_violation THEN
            IF relation <> 'crm_associations' THEN
                RAISE;
            END IF;
            -- It says the same as another one, once both are redacted.
            EXECUTE format('DELETE FROM %I AS t WHERE %s', relation, same) USING needles, hit;
        END;
        GET DIAGNOSTICS count = ROW_COUNT;
        n := n + count;
        PERFORM forget_versions(ARRAY[id]);
    END LOOP;
END $$;
COMMENT ON FUNCTION redact_rows IS 'Internal: takes what is purged out of other rows.';

-- With what was named goes what was purged with it, and what was said of that.
CREATE FUNCTION forget(kinds text[], named text[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    keys text[] := ARRAY(SELECT suppression_key(t.kind, t.value) FROM unnest(kinds, named) AS t(kind, value));
BEGIN
    DELETE FROM suppressions AS s WHERE s.key = ANY (keys) OR s._with = ANY (keys);
    IF to_regclass('outbox') IS NOT NULL THEN
        DELETE FROM outbox AS o WHERE o.engagement_id IS NULL AND o._key = ANY (keys);
    END IF;
END $$;
COMMENT ON FUNCTION forget IS 'Internal: removes the hashes of what was purged.';

-- As in m0017, without what was purged.
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
    purged bigint[];
    persons boolean;
    snapshots snapshot[];
BEGIN
    PERFORM lock_writing(false);
    SELECT p.documents, p.refusals INTO documents, refusals FROM parse_documents(sources) AS p;
    SELECT array_agg(CASE WHEN refusals[n] IS NOT NULL THEN refusals[n]
                          WHEN sources[n] IS NULL THEN CASE WHEN NOT EXISTS (
                              SELECT FROM engagements AS e WHERE e.id = ids[n] AND holds_etag(e, etags[n], asked[n])) THEN 'not_stored' END
                          WHEN jsonb_typeof(documents[n]) IS DISTINCT FROM 'object' THEN 'not_an_object'
                          WHEN documents[n] ->> 'id' IS DISTINCT FROM ids[n] THEN 'other_document' END ORDER BY n)
    INTO refusals
    FROM generate_subscripts(ids, 1) AS n;
    IF EXISTS (SELECT FROM suppressions) THEN
        persons := EXISTS (SELECT FROM suppressions AS s WHERE s.kind <> 'engagement');
        SELECT array_agg(w.document ORDER BY t.n), array_agg(w.transcript ORDER BY t.n),
               -- An answer that it is as it was would say nothing once the person is forgotten.
               array_agg(CASE WHEN w.document IS NOT DISTINCT FROM t.document AND w.transcript IS NOT DISTINCT FROM t.transcript THEN t.etag END ORDER BY t.n)
        INTO documents, transcripts, etags
        FROM unnest(documents, transcripts, etags, ids, sources) WITH ORDINALITY AS t(document, transcript, etag, id, source, n)
        -- Other engagements are hardly ever spoken of.
        CROSS JOIN LATERAL (
            SELECT persons OR strpos(replace(t.source, t.id, ''), 'ngmt_') > 0 OR coalesce(strpos(t.transcript, 'ngmt_') > 0, false) AS may_name OFFSET 0) AS l
        CROSS JOIN LATERAL (
            SELECT CASE WHEN l.may_name THEN without_purged(t.document) ELSE t.document END AS document,
                   CASE WHEN l.may_name THEN redacted(t.transcript) ELSE t.transcript END AS transcript OFFSET 0) AS w;
    END IF;

    SELECT j.taken, j.items, j.looks, j.priorities INTO taken, alive, looks, priorities
    FROM (SELECT array_agg(t.id) AS ids, array_agg(t.claims) AS claims, array_agg(t.item) AS items
          FROM unnest(job_ids, job_claims, job_documents) AS t(id, claims, item) WHERE refusals[t.item::integer] IS NULL) AS ours,
         take_jobs(boot, ours.ids, ours.claims, ours.items) AS j;

    IF cardinality(alive) > 0 THEN
        SELECT array_agg(ids[a.n::integer] ORDER BY a.o) INTO alive_ids FROM unnest(alive) WITH ORDINALITY AS a(n, o);
        PERFORM lock_engagements(alive_ids);
        IF EXISTS (SELECT FROM suppressions AS s WHERE s.kind = 'engagement') THEN
            purged := ARRAY(SELECT a.n FROM unnest(alive) AS a(n) WHERE is_suppressed('engagement', ids[a.n]));
        END IF;
        -- Those that are as they were need no plan.
        SELECT array_agg(a.n) FILTER (WHERE sources[a.n] IS NULL), array_agg(a.n) FILTER (WHERE sources[a.n] IS NOT NULL),
               array_agg(a.looks) FILTER (WHERE sources[a.n] IS NOT NULL), array_agg(a.priority) FILTER (WHERE sources[a.n] IS NOT NULL)
        INTO same, alive, looks, priorities
        FROM unnest(alive, looks, priorities) AS a(n, looks, priority) WHERE a.n = ANY (purged) IS NOT TRUE;
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
            PERFORM drop_transcripts(alive_ids);
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
                WHEN t.n = ANY (purged) THEN 'suppressed'
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

-- As in m0007; what was purged meanwhile leaves no letter and no mark.
CREATE OR REPLACE FUNCTION settle(
    boot bigint, job_ids bigint[], job_claims bigint[], actions text[], delays double precision[], looked boolean[], charged boolean[],
    engagement_ids text[], causes text[], errors text[], job_request_ids text[], marks text[], observed text[])
    RETURNS TABLE (id bigint, superseded boolean)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    held bigint[];
    refused text[];
BEGIN
    PERFORM lock_writing(false);
    held := hold_jobs(boot, job_ids, job_claims);
    -- Purged while the API was asked: nothing is left of it.
    IF EXISTS (SELECT FROM suppressions AS s WHERE s.kind = 'engagement') THEN
        SELECT array_agg(CASE WHEN t.purged THEN 'suppressed' ELSE t.action END ORDER BY t.n), array_agg(CASE WHEN NOT t.purged THEN t.mark END ORDER BY t.n)
        INTO actions, marks
        FROM (SELECT u.*, coalesce(is_suppressed('engagement', u.engagement_id), false) AS purged
              FROM unnest(actions, marks, engagement_ids) WITH ORDINALITY AS u(action, mark, engagement_id, n)) AS t;
    END IF;
    -- In the order of ingest: queue rows, then engagements, then the rest.
    PERFORM lock_engagements(ARRAY(
        SELECT t.engagement_id FROM unnest(job_ids, actions, engagement_ids, marks) AS t(id, action, engagement_id, mark)
        WHERE t.id = ANY (held) AND t.engagement_id IS NOT NULL AND (t.action IN ('dead', 'deleted') OR t.mark IS NOT NULL)));

    UPDATE enrichment_queue AS q SET
        leased_by = NULL,
        -- What is given back at once keeps its place in the line.
        available_at = CASE WHEN t.delay > 0 THEN clock_timestamp() + make_interval(secs => t.delay)
                            ELSE least(coalesce(q.due_at, now()), now()) END,
        attempts = coalesce(q.attempts, 0) + CASE WHEN t.charged THEN 1 ELSE 0 END,
        looks = coalesce(q.looks, 0) + CASE WHEN t.looked THEN 1 ELSE 0 END,
        last_error = coalesce(t.error, t.cause, q.last_error)
    FROM unnest(job_ids, actions, delays, looked, charged, causes, errors) AS t(id, action, delay, looked, charged, cause, error)
    WHERE q.id = t.id AND q.id = ANY (held) AND t.action IN ('retry', 'release');

    WITH gone AS (
        DELETE FROM enrichment_queue AS q
        USING unnest(job_ids, actions, charged, causes, errors, job_request_ids, engagement_ids)
              AS t(id, action, charged, cause, error, request_id, engagement_id)
        WHERE q.id = t.id AND q.id = ANY (held) AND t.action IN ('dead', 'deleted', 'suppressed')
        RETURNING q.*, t.action, t.charged, t.cause, t.error, t.request_id, coalesce(t.engagement_id, 'queue:' || q.id) AS key
    ), unseen AS (
        -- A look that died has none after it.
        UPDATE engagement_gaps AS o SET next_look_at = NULL FROM gone AS g
        WHERE g.action = 'dead' AND g.reason = 'not_ready' AND o.engagement_id = g.key AND o.part = 'transcript' AND o.next_look_at = g.due_at
    )
    INSERT INTO dead_letters AS d (key, engagement_id, cause, error, request_id, times, queue_id, reason, priority, enqueued_at, due_at,
                                   claims, attempts, losses, looks)
    SELECT DISTINCT ON (g.key) g.key, g.engagement_id, g.cause, g.error, g.request_id, count(*) OVER (PARTITION BY g.key), g.id,
           g.reason, g.priority, g.enqueued_at, g.due_at, g.claims, coalesce(g.attempts, 0) + CASE WHEN g.charged THEN 1 ELSE 0 END, g.losses, g.looks
    FROM gone AS g WHERE g.action = 'dead'
    ORDER BY g.key, g.id DESC
    ON CONFLICT (key) DO UPDATE SET
        cause = excluded.cause, error = excluded.error, request_id = excluded.request_id, times = d.times + excluded.times, last_at = now(),
        queue_id = excluded.queue_id, reason = excluded.reason, priority = excluded.priority, enqueued_at = excluded.enqueued_at,
        due_at = excluded.due_at, claims = excluded.claims, attempts = excluded.attempts, losses = excluded.losses, looks = excluded.looks,
        _replayed_for = NULL;

    refused := mark_engagements(held, job_ids, engagement_ids, marks, causes, observed);
    RETURN QUERY SELECT h.id, coalesce(t.engagement_id = ANY (refused), false)
    FROM unnest(held) AS h(id) JOIN unnest(job_ids, engagement_ids) AS t(id, engagement_id) ON t.id = h.id;
END $$;

-- As in m0009; what was purged meanwhile is no evidence, and no probe.
CREATE OR REPLACE FUNCTION deny_parts(credential text, denied text[], refused_requests text[], evidence text) RETURNS TABLE (part text, is_new boolean)
    LANGUAGE sql SET search_path FROM CURRENT AS $$
    SELECT lock_writing(false);
    INSERT INTO scope_denials AS d (credential_name, part, scope, request_id, evidence_id, next_probe_at)
    SELECT credential, t.part, part_scope(t.part), t.request_id, CASE WHEN NOT is_suppressed('engagement', evidence) THEN evidence END, now() + jittered('15 minutes')
    FROM unnest(denied, refused_requests) AS t(part, request_id) ORDER BY t.part
    ON CONFLICT (credential_name, part) DO UPDATE SET
        request_id = excluded.request_id, evidence_id = excluded.evidence_id, last_seen_at = now(),
        next_probe_at = now() + jittered(CASE d._probes WHEN 0 THEN interval '15 minutes' WHEN 1 THEN interval '1 hour'
                                         WHEN 2 THEN interval '6 hours' ELSE interval '24 hours' END)
    RETURNING d.part, d.xmax = 0
$$;

CREATE OR REPLACE FUNCTION queue_probe(credential text, denied_part text) RETURNS boolean
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    candidate text;
BEGIN
    PERFORM lock_writing(false);
    IF NOT pg_try_advisory_xact_lock(hashtextextended(current_schema() || ':probe', 0))
       -- Whoever asks may have looked before another job tried it.
       OR NOT EXISTS (SELECT FROM scope_denials AS d WHERE d.credential_name = credential AND d.part = denied_part AND d.next_probe_at <= now())
       OR EXISTS (SELECT FROM credentials AS c WHERE c.name = credential AND queued(c._probe_id))
       -- A job that is due will carry it.
       OR EXISTS (SELECT FROM enrichment_queue AS q
                  WHERE (CASE WHEN q.priority > 0 THEN 1 WHEN q.priority < 0 THEN -1 ELSE 0 END) IN (1, 0, -1) AND q.available_at <= now()) THEN
        RETURN false;
    END IF;
    SELECT g.engagement_id INTO candidate
    FROM (SELECT o.engagement_id FROM engagement_gaps AS o
          WHERE o.part = denied_part AND o.cause = 'scope_denied' AND o._queued_at IS NULL
          ORDER BY o._occurred_at DESC NULLS LAST LIMIT 100) AS g
    JOIN engagements AS e ON e.id = g.engagement_id AND e._deleted_at IS NULL AND e._unreadable_since IS NULL
    ORDER BY random() LIMIT 1;
    IF candidate IS NULL THEN
        RETURN false;
    END IF;
    UPDATE credentials AS c SET _probe_id = candidate WHERE c.name = credential;
    INSERT INTO enrichment_queue (engagement_id, reason, priority) VALUES (candidate, 'scope_probe', 0);
    RETURN true;
END $$;

-- As in m0018; of what was purged an event says nothing.
CREATE OR REPLACE FUNCTION receive_events(messages text[], events text[], types text[], workspaces text[], objects text[], times text[], effects text[])
    RETURNS TABLE (message text) LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    PERFORM lock_writing(false);
    RETURN QUERY
    WITH told AS MATERIALIZED (
        SELECT DISTINCT ON (t.message) t.message, t.event, t.type, t.workspace, CASE WHEN NOT p.purged THEN t.object END AS object, t.at,
               CASE WHEN p.purged THEN 'suppressed' ELSE t.effect END AS effect, t.n
        FROM unnest(messages, events, types, workspaces, objects, times, effects) WITH ORDINALITY
            AS t(message, event, type, workspace, object, at, effect, n)
        CROSS JOIN LATERAL (
            SELECT (SELECT EXISTS (SELECT FROM suppressions))
                   AND coalesce(is_suppressed(CASE WHEN t.object LIKE 'cnt\_%' THEN 'contact' ELSE 'engagement' END, t.object), false) AS purged
            OFFSET 0
        ) AS p
        ORDER BY t.message, t.n
    ), new AS (
        INSERT INTO webhook_events (message_id, event_id, type, workspace_id, object_id, created_at, outcome)
        SELECT t.message, t.event, t.type, t.workspace, t.object, json_timestamp(to_jsonb(t.at)),
               CASE WHEN t.effect IN ('enrich', 'deleted') THEN 'queued' WHEN t.effect IN ('ignored', 'suppressed') THEN t.effect ELSE 'spread' END
        FROM told AS t ORDER BY t.message
        ON CONFLICT DO NOTHING
        RETURNING message_id
    ), ours AS MATERIALIZED (
        SELECT t.* FROM told AS t JOIN new ON new.message_id = t.message
    ), queued AS (
        INSERT INTO enrichment_queue (engagement_id, reason)
        SELECT o.object, CASE o.effect WHEN 'deleted' THEN 'deleted' ELSE 'webhook' END
        FROM ours AS o WHERE o.effect IN ('enrich', 'deleted') ORDER BY o.n
    ), changed AS (
        INSERT INTO entity_changes (kind, entity_id)
        SELECT DISTINCT o.effect, o.object FROM ours AS o WHERE o.effect IN ('contact', 'company', 'tag') ORDER BY 1, 2
        ON CONFLICT (kind, entity_id) DO UPDATE SET _again = true
    )
    SELECT new.message_id FROM new;
END $$;
COMMENT ON COLUMN webhook_events.outcome IS 'queued: the engagement; spread: the engagements that hold the contact, company or tag, in the background; ignored: a type that says nothing of these; suppressed: of what was purged.';

-- As in m0019, without what was purged: this and the next.
CREATE OR REPLACE FUNCTION queue_listed(listed_ids text[], listed_times text[], why text) RETURNS bigint
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    n bigint;
BEGIN
    INSERT INTO enrichment_queue (engagement_id, reason, priority)
    SELECT l.id, why, -1
    FROM (SELECT DISTINCT ON (t.id) t.id, json_timestamp(to_jsonb(t.at)) AS updated_at, t.n
          FROM unnest(listed_ids, listed_times) WITH ORDINALITY AS t(id, at, n) ORDER BY t.id, t.n) AS l
    LEFT JOIN engagements AS e ON e.id = l.id
    WHERE (e.id IS NULL OR e._deleted_at IS NOT NULL OR e._unreadable_since IS NOT NULL OR l.updated_at IS NOT NULL AND (e.updated_at IS NULL OR e.updated_at < l.updated_at)
           OR e._observed_at < now() - interval '1 day' AND EXISTS (
               SELECT FROM engagement_gaps AS g
               WHERE g.engagement_id = l.id AND g.cause <> 'scope_denied' AND g.next_look_at IS NULL AND g._queued_at IS NULL))
      AND NOT EXISTS (SELECT FROM enrichment_queue AS q WHERE left(q.engagement_id, 70) = l.id AND q.leased_by IS NULL AND q.available_at <= now())
      AND NOT EXISTS (SELECT FROM dead_letters AS d WHERE d.key = l.id AND d.last_at > now() - interval '1 day' AND (l.updated_at IS NULL OR d.last_at > l.updated_at))
      AND NOT is_suppressed('engagement', l.id)
    ORDER BY l.n;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;

CREATE OR REPLACE FUNCTION compare_listed(listed_ids text[], listed_times text[], began timestamptz)
    RETURNS TABLE (id text, cause text, listed_at timestamptz, stored_at timestamptz, state text)
    LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT l.id,
           CASE WHEN e.id IS NULL THEN 'missing' WHEN e._deleted_at IS NOT NULL THEN 'deleted'
                WHEN e._unreadable_since IS NOT NULL THEN 'hidden' WHEN e.updated_at > l.at THEN 'newer' ELSE 'older' END,
           l.at, e.updated_at,
           CASE WHEN EXISTS (SELECT FROM enrichment_queue AS q WHERE left(q.engagement_id, 70) = l.id AND q.reason IS DISTINCT FROM 'not_ready')
                THEN 'queued' ELSE (SELECT 'dead: ' || d.cause FROM dead_letters AS d WHERE d.key = l.id) END
    FROM (SELECT t.id, json_timestamp(to_jsonb(t.at)) AS at, t.n FROM unnest(listed_ids, listed_times) WITH ORDINALITY AS t(id, at, n)) AS l
    LEFT JOIN engagements AS e ON e.id = l.id
    WHERE (e.id IS NULL OR e._deleted_at IS NOT NULL OR e._unreadable_since IS NOT NULL
       OR l.at IS NOT NULL AND (e.updated_at IS NULL OR e.updated_at < l.at OR e.updated_at > l.at AND e._observed_at < began))
      AND NOT is_suppressed('engagement', l.id)
    ORDER BY l.n;
END $$;

CREATE OR REPLACE FUNCTION enrichment_state(engagement_id text)
    RETURNS TABLE (state text, since timestamptz, observed_at timestamptz, attempts integer, cause text, missing_parts text[])
    LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT s.state, s.since, e._observed_at, s.attempts, s.cause,
           ARRAY(SELECT g.part FROM engagement_gaps AS g WHERE g.engagement_id = $1 ORDER BY g.part)
    FROM (
        -- A look of our own at what is not ready does not undo that the engagement arrived.
        (SELECT CASE WHEN q.reason = 'not_ready' AND q.looks > 0 THEN 4 ELSE 1 END AS rank, CASE WHEN q.leased_by IS NOT NULL AND q.available_at > now() THEN 'running'
                                WHEN q.available_at > now() THEN 'waiting' ELSE 'queued' END AS state,
                q.enqueued_at AS since, q.attempts, q.last_error AS cause
         FROM enrichment_queue AS q
         WHERE left(q.engagement_id, 70) = left($1, 70) AND q.engagement_id = $1
         ORDER BY 1, q.leased_by IS NULL, q.available_at LIMIT 1)
        UNION ALL
        SELECT 2, 'dead', d.last_at, d.attempts, d.cause FROM dead_letters AS d WHERE d.key = $1
        UNION ALL
        (SELECT 2, 'dead', d.last_at, d.attempts, d.cause FROM dead_letters AS d
         WHERE $1 !~ '^ngmt_[A-Za-z0-9]{1,64}$' AND d.cause = 'invalid_id' AND d.engagement_id = $1 ORDER BY d.last_at DESC LIMIT 1)
        UNION ALL
        SELECT 3, 'done', e._observed_at, NULL, CASE WHEN e._deleted_at IS NOT NULL THEN 'deleted' ELSE e._unreadable_cause END
        FROM engagements AS e WHERE e.id = $1
        UNION ALL
        SELECT 2, 'purged', s.purged_at, NULL, NULL FROM suppressions AS s WHERE s.key = suppression_key('engagement', $1)
        UNION ALL
        SELECT 5, 'unknown', NULL, NULL, NULL
    ) AS s
    LEFT JOIN engagements AS e ON e.id = $1
    ORDER BY s.rank LIMIT 1
$$;
COMMENT ON FUNCTION enrichment_state(text) IS 'Did my insert arrive? queued, running, waiting, done, dead, purged or unknown; never unknown for an id that was inserted.';

-- Views run with the rights of whoever reads them where they call functions, so the key is read here.
DO $do$
BEGIN
    EXECUTE format($create$
CREATE OR REPLACE VIEW engagements_live AS
SELECT e.id, e.title, e.engagement_type, e.processing_status, e.is_private, e.is_internal, e.created_at, e.updated_at,
       e.engagement_at, e.start_at, e.end_at, coalesce(e.start_at, e.engagement_at, e.created_at) AS occurred_at,
       e.duration_seconds, e.description, e.data_source, e.meeting_url, e.external_url,
       e.owner_user_id, o.first_name AS owner_first_name, o.last_name AS owner_last_name, o.primary_email AS owner_email,
       e.host_user_id, h.first_name AS host_first_name, h.last_name AS host_last_name, h.primary_email AS host_email,
       NOT EXISTS (SELECT FROM engagement_gaps AS g WHERE g.engagement_id = e.id) AS is_complete,
       ARRAY(SELECT g.part FROM engagement_gaps AS g WHERE g.engagement_id = e.id ORDER BY g.part) AS missing_parts,
       e._observed_at, e._changed_at,
       e._parts ? 'transcript' AND e._parts #>> '{transcript,d}' IS DISTINCT FROM digest('')
           AND NOT EXISTS (SELECT FROM engagement_transcripts AS t WHERE t.engagement_id = e.id) AS is_transcript_dropped,
       coalesce((SELECT c.workspace FROM control AS c), %1$L) AS _workspace,
       keyed_hash((SELECT c._hash_key FROM control AS c), 'engagement', e.id) AS _key
FROM engagements AS e
LEFT JOIN users AS o ON o.id = e.owner_user_id
LEFT JOIN users AS h ON h.id = e.host_user_id
WHERE e._deleted_at IS NULL AND e._unreadable_since IS NULL
    $create$, current_schema());
    EXECUTE format($create$
CREATE OR REPLACE VIEW engagement_changes AS
SELECT e.id AS engagement_id, e._changed_at AS changed_at, e._deleted_at IS NOT NULL AS is_gone,
       coalesce((SELECT c.workspace FROM control AS c), %1$L) AS _workspace,
       keyed_hash((SELECT c._hash_key FROM control AS c), 'engagement', e.id) AS _key
FROM engagements AS e
UNION ALL
SELECT NULL, s.purged_at, true, coalesce((SELECT c.workspace FROM control AS c), %1$L), s.key
FROM suppressions AS s WHERE s.kind = 'engagement'
    $create$, current_schema());
END $do$;
COMMENT ON COLUMN engagements_live.is_transcript_dropped IS 'There was a transcript, and it is too old to be kept (--retain-transcripts).';
COMMENT ON COLUMN engagements_live._workspace IS 'The workspace''s name, else the schema''s.';
COMMENT ON COLUMN engagements_live._key IS 'What stands for the engagement in engagement_changes once it is purged.';
COMMENT ON COLUMN engagement_changes.engagement_id IS 'NULL for what was purged: only its _key is known.';
COMMENT ON COLUMN engagement_changes._workspace IS 'The workspace''s name, else the schema''s.';
COMMENT ON COLUMN engagement_changes._key IS 'suppression_key(''engagement'', id): what a copy of a purged engagement is found by.';
