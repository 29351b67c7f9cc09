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
    purged_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE suppressions IS 'What was purged, as keyed hashes: it is not stored again. "engagement-worker purge --forget" removes a row.';
COMMENT ON COLUMN suppressions.key IS 'suppression_key() of what was purged.';
COMMENT ON COLUMN suppressions.kind IS 'engagement, contact or email.';
CREATE INDEX suppressions_order ON suppressions (kind, purged_at);

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
CREATE FUNCTION lock_writing(alone boolean) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF alone THEN
        PERFORM pg_advisory_xact_lock(hashtextextended(current_schema() || ':purge', 0));
    ELSE
        PERFORM pg_advisory_xact_lock_shared(hashtextextended(current_schema() || ':purge', 0));
    END IF;
END $$;
COMMENT ON FUNCTION lock_writing IS 'Internal: orders purges and all other writers.';

-- What a purge may mean stands in a text by itself: engagement ids, contact ids, addresses.
CREATE FUNCTION purgeable(source text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY(SELECT DISTINCT m[1] FROM regexp_matches(
        source, '(\m(?:ngmt|cnt)_[A-Za-z0-9]{1,64}\M|[[:alnum:]][[:alnum:]._%+''-]*@[[:alnum:]-]+(?:\.[[:alnum:]-]+)+)', 'g') AS m)
$$;
COMMENT ON FUNCTION purgeable(text) IS 'Internal: ids and addresses in a text.';

CREATE FUNCTION purgeable(person jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_remove(ARRAY[person ->> 'id', person ->> 'email'] || ARRAY(
        SELECT coalesce(e ->> 'email', e #>> '{}') FROM jsonb_array_elements(CASE WHEN jsonb_typeof(person -> 'emails') = 'array' THEN person -> 'emails' END) AS e), NULL)
$$;
COMMENT ON FUNCTION purgeable(jsonb) IS 'Internal: id and addresses of a contact or user, as delivered.';

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

-- Where one stands by itself: not within a longer address.
CREATE FUNCTION without(source text, purged text[]) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    token text;
BEGIN
    FOREACH token IN ARRAY purged LOOP
        source := regexp_replace(
            source, '(?<![[:alnum:]][._%+''-]*)' || regexp_replace(token, '([^[:alnum:]])', '\\\1', 'g') || '(?![[:alnum:]-]|\.[[:alnum:]-])', '[purged]', 'g');
    END LOOP;
    RETURN source;
END $$;
COMMENT ON FUNCTION without IS 'Internal: a text without these ids and addresses.';

-- In JSON's text a letter may belong to an escape: a character that cannot stand there ends each.
CREATE FUNCTION marked(document jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(document::text, '\\(?:u[0-9a-f]{4}|.)', '\&' || chr(1), 'g')
$$;
COMMENT ON FUNCTION marked IS 'Internal: a document''s text, each escape of which ends with U+0001.';

CREATE FUNCTION redacted(source text) RETURNS text LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT without(source, purged_of(purgeable(source)))
$$;
COMMENT ON FUNCTION redacted(text) IS 'Internal: a text without what was purged.';

CREATE FUNCTION redacted(document jsonb) RETURNS jsonb LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT replace(redacted(marked(document)), chr(1), '')::jsonb
$$;
COMMENT ON FUNCTION redacted(jsonb) IS 'Internal: a document without what was purged.';

-- A purged contact is left out. Of a purged owner the id stays: the engagement is still theirs.
CREATE FUNCTION without_purged(document jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    contacts jsonb := CASE WHEN jsonb_typeof(document -> 'contacts') = 'array' THEN document -> 'contacts' END;
    owner jsonb := CASE WHEN jsonb_typeof(document -> 'owner') = 'object' THEN document -> 'owner' END;
    purged text[] := purged_of(purgeable(marked(document)) || purgeable(owner) || ARRAY(
        SELECT unnest(purgeable(c)) FROM jsonb_array_elements(contacts) AS c));
BEGIN
    IF cardinality(purged) = 0 THEN
        RETURN document;
    END IF;
    IF contacts IS NOT NULL THEN
        document := jsonb_set(document, '{contacts}', coalesce((
            SELECT jsonb_agg(c.item ORDER BY c.n) FROM jsonb_array_elements(contacts) WITH ORDINALITY AS c(item, n)
            WHERE NOT purgeable(c.item) && purged), '[]'));
    END IF;
    IF purgeable(owner) && purged THEN
        document := jsonb_set(document, '{owner}', jsonb_build_object('id', owner -> 'id'));
    END IF;
    RETURN replace(without(marked(document), purged), chr(1), '')::jsonb;
END $$;
COMMENT ON FUNCTION without_purged IS 'Internal: an engagement as delivered, without persons that were purged.';

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
    INSERT INTO suppressions AS s (key, kind) VALUES (suppression_key('engagement', engagement), 'engagement')
    ON CONFLICT (key) DO UPDATE SET purged_at = now();

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
COMMENT ON FUNCTION purge_engagement IS 'Internal: deletes an engagement and keeps a keyed hash of its id.';

CREATE FUNCTION addresses(primary_email text, emails jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(DISTINCT lower(btrim(a.address))) FILTER (WHERE a.address IS NOT NULL), '{}')
    FROM (SELECT primary_email AS address
          UNION ALL
          SELECT e ->> 'email' FROM jsonb_array_elements(CASE WHEN jsonb_typeof(emails) = 'array' THEN emails END) AS e) AS a
$$;
COMMENT ON FUNCTION addresses IS 'Internal: the e-mail addresses of a contact or user, in small letters.';

-- A person's contacts: by the id of one, or by an address, which also means a user (an owner, a host), of whom the id stays. Addresses of
-- these contacts that no other contact or user has are purged with them. What was purged is returned, to be looked for elsewhere.
CREATE FUNCTION purge_person(contact text, address text) RETURNS TABLE (kind text, n bigint, needle text)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET lock_timeout = '10s' AS $$
DECLARE
    contact_ids text[] := array_remove(ARRAY[contact], NULL);
    found text[] := array_remove(ARRAY[lower(btrim(address))], NULL);
    theirs text[];
    user_ids text[];
    touched text[];
    rows bigint;
BEGIN
    PERFORM lock_writing(true);
    IF address IS NOT NULL THEN
        contact_ids := contact_ids || ARRAY(SELECT c.id FROM contacts AS c WHERE addresses(c.primary_email, c.emails) && found);
    END IF;
    theirs := ARRAY(SELECT DISTINCT unnest(addresses(c.primary_email, c.emails)) FROM contacts AS c WHERE c.id = ANY (contact_ids)
                    EXCEPT SELECT unnest(addresses(o.primary_email, o.emails)) FROM contacts AS o WHERE o.id <> ALL (contact_ids)
                    EXCEPT SELECT unnest(addresses(u.primary_email, u.emails)) FROM users AS u);
    found := ARRAY(SELECT unnest(found) UNION SELECT unnest(theirs));
    INSERT INTO suppressions AS s (key, kind)
    SELECT suppression_key('contact', c), 'contact' FROM unnest(contact_ids) AS c
    UNION ALL
    SELECT suppression_key('email', a), 'email' FROM unnest(found) AS a
    ON CONFLICT (key) DO UPDATE SET purged_at = now();

    touched := ARRAY(SELECT DISTINCT l.engagement_id FROM engagement_contacts AS l WHERE l.contact_id = ANY (contact_ids));
    DELETE FROM engagement_contacts AS l WHERE l.contact_id = ANY (contact_ids);
    DELETE FROM entity_changes AS c WHERE c.kind = 'contact' AND c.entity_id = ANY (contact_ids);
    DELETE FROM crm_associations AS a WHERE a.subject_type = 'contact' AND a.subject_id = ANY (contact_ids);
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN QUERY SELECT 'crm_associations', rows, NULL::text;
    DELETE FROM contacts AS c WHERE c.id = ANY (contact_ids);
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN QUERY SELECT 'contacts', rows, NULL::text;
    RETURN QUERY SELECT 'named', 0::bigint, f FROM unnest(contact_ids || found) AS f;

    user_ids := ARRAY(SELECT u.id FROM users AS u WHERE cardinality(purged_of(purgeable(u._raw))) > 0 AND u._raw <> jsonb_build_object('id', u.id));
    UPDATE users AS u SET role = NULL, first_name = NULL, last_name = NULL, job_title = NULL, primary_email = NULL, emails = NULL, time_zone = NULL,
        created_at = NULL, updated_at = NULL, last_activity_at = NULL, _raw = jsonb_build_object('id', u.id), _changed_at = now()
    WHERE u.id = ANY (user_ids);
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN QUERY SELECT 'users', rows, NULL::text;
    -- An answer that it is as it was would say nothing once this is forgotten.
    UPDATE engagements AS e SET _changed_at = now(), _etag = NULL, _etag_parts = NULL
    WHERE e.id = ANY (touched) OR e.owner_user_id = ANY (user_ids) OR e.host_user_id = ANY (user_ids);
    GET DIAGNOSTICS rows = ROW_COUNT;
    RETURN QUERY SELECT 'engagements', rows, NULL::text;
END $$;
COMMENT ON FUNCTION purge_person IS 'Internal: deletes a person''s rows and keeps keyed hashes.';

-- Text and JSON that is no key, of all tables of the schema.
CREATE FUNCTION redactable_columns() RETURNS TABLE (relation text, name text, blocks bigint) LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT c.relname::text, a.attname::text, pg_relation_size(c.oid) / current_setting('block_size')::bigint + 1
    FROM pg_class AS c
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid IN ('text'::regtype, 'jsonb'::regtype)
    WHERE c.relkind = 'r' AND c.relnamespace = to_regnamespace(quote_ident(current_schema()))
      AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype IN ('p', 'f') AND a.attnum = ANY (k.conkey))
$$;
COMMENT ON FUNCTION redactable_columns IS 'Internal: where what was purged may stand.';

-- The rows of some blocks of a table in which a needle stands, in any text or JSON that is no key; how many were redacted. First looked
-- at without a lock: hardly ever is anything found.
CREATE FUNCTION redact_blocks(relation text, first bigint, blocks bigint, needles text[]) RETURNS bigint
    LANGUAGE plpgsql SET search_path FROM CURRENT SET lock_timeout = '10s' AS $$
DECLARE
    patterns text[] := ARRAY(SELECT '%' || regexp_replace(needle, '([\\%_])', '\\\1', 'g') || '%' FROM unnest(needles) AS needle);
    assignments text;
    conditions text;
    is_child boolean;
    changes boolean;
    place text := format('t.ctid >= %L::tid AND t.ctid < %L::tid', format('(%s,0)', first), format('(%s,0)', first + blocks));
    found boolean;
    touched text[];
    n bigint;
BEGIN
    SELECT string_agg(format('%1$I = redacted(t.%1$I)', c.name), ', '),
           string_agg(format('t.%1$I::text ILIKE ANY ($1) AND redacted(t.%1$I) IS DISTINCT FROM t.%1$I', c.name), ' OR ')
    INTO assignments, conditions FROM redactable_columns() AS c WHERE c.relation = redact_blocks.relation;
    EXECUTE format('SELECT EXISTS (SELECT FROM %I AS t WHERE %s AND (%s))', relation, place, conditions) INTO found USING patterns;
    IF NOT found THEN
        RETURN 0;
    END IF;
    PERFORM lock_writing(true);
    SELECT bool_or(a.attname = 'engagement_id') AND relation LIKE 'engagement\_%', bool_or(a.attname = '_changed_at') INTO is_child, changes
    FROM pg_attribute AS a WHERE a.attrelid = to_regclass(quote_ident(relation)) AND a.attnum > 0 AND NOT a.attisdropped;
    EXECUTE format('WITH done AS (UPDATE %I AS t SET %s%s WHERE %s AND (%s) RETURNING %s AS id) SELECT count(*), array_agg(id) FROM done',
                   relation, assignments, CASE WHEN changes THEN ', _changed_at = now()' ELSE '' END, place, conditions,
                   CASE WHEN is_child THEN 't.engagement_id' WHEN relation = 'engagements' THEN 't.id' ELSE 'NULL::text' END)
    INTO n, touched USING patterns;
    UPDATE engagements AS e SET _changed_at = now(), _etag = NULL, _etag_parts = NULL WHERE e.id = ANY (touched);
    RETURN n;
END $$;
COMMENT ON FUNCTION redact_blocks IS 'Internal: takes what was purged out of other rows.';

-- What was said of purges goes, too.
CREATE FUNCTION forget(kinds text[], forgotten text[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    keys text[] := ARRAY(SELECT suppression_key(t.kind, t.value) FROM unnest(kinds, forgotten) AS t(kind, value));
BEGIN
    DELETE FROM suppressions AS s WHERE s.key = ANY (keys);
    IF to_regclass('outbox') IS NOT NULL THEN
        DELETE FROM outbox AS o WHERE o.engagement_id IS NULL AND o._key = ANY (keys);
    END IF;
END $$;
COMMENT ON FUNCTION forget IS 'Internal: removes the hashes of what was purged.';

-- The outbox is there only if somebody wanted it (migrate --with-outbox). True when there may be more.
CREATE FUNCTION prune_outbox(most bigint) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    n bigint;
BEGIN
    IF to_regclass('outbox') IS NULL THEN
        RETURN false;
    END IF;
    DELETE FROM outbox AS o USING (
        SELECT p.tx, p._key FROM outbox AS p
        WHERE p.changed_at < now() - (SELECT c.outbox_kept FROM control AS c) ORDER BY p.tx, p._key LIMIT most FOR UPDATE SKIP LOCKED) AS old
    WHERE o.tx = old.tx AND o._key = old._key;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n = most;
END $$;
COMMENT ON FUNCTION prune_outbox IS 'Internal: deletes old rows of the outbox.';

-- Transcripts that are not kept any more. What _parts says of them stays: a digest of what was there, so that the same one is not
-- taken for news.

CREATE TABLE upkeep (
    name        text PRIMARY KEY,
    finished_at timestamptz,
    _after      text NOT NULL DEFAULT ''
);
COMMENT ON TABLE upkeep IS 'What is done now and then, in slices, by one worker at a time.';
COMMENT ON COLUMN upkeep.name IS 'transcripts: those that are not kept any more are dropped.';
COMMENT ON COLUMN upkeep.finished_at IS 'When it was done last.';
COMMENT ON COLUMN upkeep._after IS 'The last engagement of the slice before.';
INSERT INTO upkeep (name) VALUES ('transcripts');

CREATE FUNCTION is_kept(e engagements, kept interval) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT kept IS NULL OR coalesce(coalesce(e.start_at, e.engagement_at, e.created_at) > now() - kept, true)
$$;
COMMENT ON FUNCTION is_kept IS 'Internal: whether the transcript of an engagement is kept.';

CREATE FUNCTION drop_transcripts(ids text[]) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    kept interval := (SELECT c.transcripts_kept FROM control AS c);
    n bigint;
BEGIN
    IF kept IS NULL THEN
        RETURN 0;
    END IF;
    WITH dropped AS (
        DELETE FROM engagement_transcripts AS t USING engagements AS e
        WHERE t.engagement_id = ANY (ids) AND e.id = t.engagement_id AND NOT is_kept(e, kept)
        RETURNING e.id
    )
    UPDATE engagements AS e SET _changed_at = now() WHERE e.id = ANY (ARRAY(SELECT d.id FROM dropped AS d));
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
COMMENT ON FUNCTION drop_transcripts IS 'Internal: drops those of these transcripts that are too old.';

-- A slice of all engagements, in the order of their ids; true when there may be more. Those that may be kept again are fetched like new
-- ones the next time: what _parts says of them goes.
CREATE FUNCTION retain_transcripts(most bigint) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    u upkeep;
    kept interval := (SELECT c.transcripts_kept FROM control AS c);
    ids text[];
BEGIN
    SELECT * INTO u FROM upkeep AS o
    WHERE o.name = 'transcripts' AND (o._after <> '' OR o.finished_at IS NULL OR o.finished_at < now() - interval '6 hours')
    FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    ids := ARRAY(SELECT e.id FROM engagements AS e WHERE e.id > u._after ORDER BY e.id LIMIT most);
    PERFORM lock_engagements(ids);
    PERFORM drop_transcripts(ids);
    UPDATE engagements AS e SET _parts = e._parts #- '{transcript,d}', _etag = NULL, _etag_parts = NULL
    WHERE e.id = ANY (ids) AND e._parts #>> '{transcript,d}' <> digest('') AND is_kept(e, kept)
      AND NOT EXISTS (SELECT FROM engagement_transcripts AS t WHERE t.engagement_id = e.id);
    UPDATE upkeep AS o SET _after = coalesce(ids[most], ''), finished_at = CASE WHEN ids[most] IS NULL THEN now() ELSE o.finished_at END
    WHERE o.name = u.name;
    RETURN ids[most] IS NOT NULL;
END $$;
COMMENT ON FUNCTION retain_transcripts IS 'Internal: drops transcripts that are too old, in slices.';

-- A new age is for all: a round begins at once.
CREATE FUNCTION keep_transcripts(kept_s double precision) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE control AS c SET transcripts_kept = make_interval(secs => kept_s)
    WHERE c.transcripts_kept IS DISTINCT FROM make_interval(secs => kept_s);
    IF FOUND THEN
        UPDATE upkeep AS o SET finished_at = NULL, _after = '' WHERE o.name = 'transcripts';
    END IF;
END $$;
COMMENT ON FUNCTION keep_transcripts IS 'Internal: sets for how long transcripts are kept.';

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
    snapshots snapshot[];
BEGIN
    PERFORM lock_writing(false);
    SELECT p.documents, p.refusals INTO documents, refusals FROM parse_documents(sources) AS p;
    IF EXISTS (SELECT FROM suppressions AS s WHERE s.kind IN ('contact', 'email')) THEN
        SELECT array_agg(w.document ORDER BY t.n), array_agg(redacted(t.transcript) ORDER BY t.n),
               -- An answer that it is as it was would say nothing once the person is forgotten.
               array_agg(CASE WHEN w.document IS NOT DISTINCT FROM t.document THEN t.etag END ORDER BY t.n)
        INTO documents, transcripts, etags
        FROM unnest(documents, transcripts, etags) WITH ORDINALITY AS t(document, transcript, etag, n)
        CROSS JOIN LATERAL (SELECT without_purged(t.document) AS document OFFSET 0) AS w;
    END IF;
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
