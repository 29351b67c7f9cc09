-- What all workers know about a credential, the parts that it may not read, and filling gaps once it may.

CREATE FUNCTION jittered(span interval) RETURNS interval LANGUAGE sql VOLATILE AS $$
    SELECT span * (0.9 + 0.2 * random())
$$;
COMMENT ON FUNCTION jittered IS 'Internal: the span, give or take a tenth.';

-- A worker has this token now. If it is another one than the last that was seen, what the old one may not read is tried
-- again, one dead letter "private" and one "not_found" are, and a refusal of the old one means nothing any more. The dead
-- letter that was tried longest ago is taken, so that one which will never succeed does not stand before the others.
CREATE FUNCTION see_credential(credential text, hash text) RETURNS TABLE (is_changed boolean, state text)
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    known credentials;
    letter dead_letters;
    asked_again text;
BEGIN
    INSERT INTO credentials (name) VALUES (credential) ON CONFLICT (name) DO NOTHING;
    SELECT * INTO known FROM credentials AS c WHERE c.name = credential FOR UPDATE;
    IF known.fingerprint IS NOT DISTINCT FROM hash THEN
        RETURN QUERY SELECT false, known.state;
        RETURN;
    END IF;
    UPDATE credentials AS c
    SET fingerprint = hash, last_seen_at = now(), next_probe_at = NULL,
        state = CASE WHEN known.state IN ('refused', 'forbidden') THEN 'unknown' ELSE known.state END
    WHERE c.name = credential;
    IF known.fingerprint IS NOT NULL THEN
        PERFORM FROM scope_denials AS d WHERE d.credential_name = credential ORDER BY d.part FOR UPDATE;
        UPDATE scope_denials AS d SET next_probe_at = now() WHERE d.credential_name = credential;
        FOREACH asked_again IN ARRAY ARRAY['private', 'not_found'] LOOP
            SELECT * INTO letter FROM dead_letters AS d
            WHERE d.cause = asked_again AND d.engagement_id IS NOT NULL AND NOT queued(d.key)
            ORDER BY d.last_at LIMIT 1 FOR UPDATE SKIP LOCKED;
            CONTINUE WHEN letter.key IS NULL;
            UPDATE dead_letters AS d SET _replayed_for = credential WHERE d.key = letter.key;
            -- Not found is looked at once, not four times again.
            INSERT INTO enrichment_queue (engagement_id, reason, priority, looks) VALUES (letter.key, 'credential_changed', -1, 4);
        END LOOP;
    END IF;
    RETURN QUERY SELECT known.fingerprint IS NOT NULL, c.state FROM credentials AS c WHERE c.name = credential;
END $$;
COMMENT ON FUNCTION see_credential IS 'Internal: a worker has this token now.';

CREATE FUNCTION queued(engagement text) RETURNS boolean LANGUAGE sql STABLE SET search_path FROM CURRENT SET enable_seqscan = off AS $$
    SELECT EXISTS (SELECT FROM enrichment_queue AS q WHERE left(q.engagement_id, 70) = left(engagement, 70) AND q.engagement_id = engagement)
$$;
COMMENT ON FUNCTION queued IS 'Internal: whether the engagement is in the queue.';

-- The engagement was refused with these parts and delivered without them: true for each that was readable until now. Each is
-- tried again after 15 min, then after 1 h, 6 h, and every 24 h.
CREATE FUNCTION deny_parts(credential text, denied text[], refused_requests text[], evidence text) RETURNS TABLE (part text, is_new boolean)
    LANGUAGE sql SET search_path FROM CURRENT AS $$
    INSERT INTO scope_denials AS d (credential_name, part, scope, request_id, evidence_id, next_probe_at)
    SELECT credential, t.part, part_scope(t.part), t.request_id, evidence, now() + jittered('15 minutes')
    FROM unnest(denied, refused_requests) AS t(part, request_id) ORDER BY t.part
    ON CONFLICT (credential_name, part) DO UPDATE SET
        request_id = excluded.request_id, evidence_id = excluded.evidence_id, last_seen_at = now(),
        next_probe_at = now() + jittered(CASE d._probes WHEN 0 THEN interval '15 minutes' WHEN 1 THEN interval '1 hour'
                                         WHEN 2 THEN interval '6 hours' ELSE interval '24 hours' END)
    RETURNING d.part, d.xmax = 0
$$;
COMMENT ON FUNCTION deny_parts IS 'Internal: records parts that a credential may not read.';

-- One job of all workers may try the part once its time has come: true for whoever asks first. If that worker dies, another
-- tries in two minutes. A row that a person holds is passed over.
CREATE FUNCTION take_probe(credential text, denied_part text) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE scope_denials AS d SET _probes = d._probes + 1, next_probe_at = now() + interval '2 minutes'
    FROM (SELECT o.credential_name, o.part FROM scope_denials AS o
          WHERE o.credential_name = credential AND o.part = denied_part AND o.next_probe_at <= now() FOR UPDATE SKIP LOCKED) AS mine
    WHERE d.credential_name = mine.credential_name AND d.part = mine.part;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION take_probe IS 'Internal: leave to try a denied part again.';

-- The part arrived: true if it had been denied, or if answers had left it out since it last arrived anew.
CREATE FUNCTION grant_part(credential text, arrived text) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    was_denied boolean;
BEGIN
    DELETE FROM scope_denials AS d WHERE d.credential_name = credential AND d.part = arrived;
    was_denied := FOUND;
    IF was_denied OR EXISTS (
        SELECT FROM engagement_gaps AS g
        WHERE g.part = arrived AND g.cause = 'not_delivered' AND g._queued_at IS NULL AND g._asked_at > coalesce(
            (SELECT s.granted_at FROM scope_grants AS s WHERE s.credential_name = credential AND s.part = arrived), '-infinity'))
       -- Where answers have it and have it not by turns, that is the engagements' own matter: seldom is enough.
       AND NOT EXISTS (SELECT FROM scope_grants AS s WHERE s.credential_name = credential AND s.part = arrived
                       AND s.granted_at > now() - interval '15 minutes')
    THEN
        INSERT INTO scope_grants AS s (credential_name, part, granted_at) VALUES (credential, arrived, clock_timestamp())
        ON CONFLICT (credential_name, part) DO UPDATE SET granted_at = excluded.granted_at;
        RETURN true;
    END IF;
    RETURN false;
END $$;
COMMENT ON FUNCTION grant_part IS 'Internal: a part arrived that had been missing.';

-- Gaps of parts that can be read: those of a denial that is gone, those of answers without the part before it arrived.
CREATE FUNCTION fillable(credential text, parts text[], most bigint) RETURNS TABLE (engagement_id text, part text)
    LANGUAGE sql STABLE SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    SELECT f.engagement_id, p.part
    FROM unnest(parts) AS p(part)
    LEFT JOIN scope_grants AS s ON s.credential_name = credential AND s.part = p.part
    CROSS JOIN LATERAL (
        (SELECT g.engagement_id FROM engagement_gaps AS g
         WHERE g.part = p.part AND g.cause = 'scope_denied' AND g._queued_at IS NULL
         ORDER BY g._occurred_at DESC NULLS LAST LIMIT most)
        UNION ALL
        (SELECT g.engagement_id FROM engagement_gaps AS g
         WHERE g.part = p.part AND g.cause = 'not_delivered' AND g._queued_at IS NULL AND g._asked_at < s.granted_at
         ORDER BY g._asked_at DESC LIMIT most)
    ) AS f
    WHERE NOT EXISTS (SELECT FROM scope_denials AS d WHERE d.credential_name = credential AND d.part = p.part)
$$;
COMMENT ON FUNCTION fillable IS 'Internal: gaps that a fetch would fill.';

-- Queues engagements with such gaps in the background lane, newest first, unless as many wait there already; how many.
CREATE FUNCTION refill(credential text, parts text[], most bigint) RETURNS bigint
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    chosen text[];
    n bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended(current_schema() || ':refill', 0)) OR background_is_full(most) THEN
        RETURN 0;
    END IF;
    SELECT array_agg(DISTINCT f.engagement_id) INTO chosen FROM fillable(credential, parts, most) AS f;
    IF chosen IS NULL THEN
        RETURN 0;
    END IF;
    -- Whoever writes a gap at this moment settles it otherwise. What is gone or hidden is noted and not fetched.
    WITH ours AS MATERIALIZED (
        SELECT g.engagement_id, g.part FROM engagement_gaps AS g
        WHERE g.engagement_id = ANY (chosen) AND g.part = ANY (parts) AND g._queued_at IS NULL
          AND (g.cause = 'scope_denied' OR g.cause = 'not_delivered' AND g._asked_at < (
               SELECT s.granted_at FROM scope_grants AS s WHERE s.credential_name = credential AND s.part = g.part))
          AND NOT EXISTS (SELECT FROM scope_denials AS d WHERE d.credential_name = credential AND d.part = g.part)
        ORDER BY g.engagement_id, g.part FOR UPDATE OF g SKIP LOCKED
    ), noted AS (
        UPDATE engagement_gaps AS g SET _queued_at = now() FROM ours
        WHERE g.engagement_id = ours.engagement_id AND g.part = ours.part
        RETURNING g.engagement_id, g._occurred_at
    )
    INSERT INTO enrichment_queue (engagement_id, reason, priority)
    SELECT r.engagement_id, 'refill', -1 FROM noted AS r
    JOIN engagements AS e ON e.id = r.engagement_id AND e._deleted_at IS NULL AND e._unreadable_since IS NULL
    GROUP BY r.engagement_id ORDER BY max(r._occurred_at) DESC NULLS LAST;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
COMMENT ON FUNCTION refill IS 'Internal: queues engagements whose gaps can be filled.';

-- A backfill of a person's does not count: only what these functions queued.
CREATE FUNCTION background_is_full(most bigint) RETURNS boolean
    LANGUAGE sql STABLE SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    SELECT count(*) >= most FROM (
        SELECT FROM enrichment_queue AS q
        WHERE (CASE WHEN q.priority > 0 THEN 1 WHEN q.priority < 0 THEN -1 ELSE 0 END) = -1 AND q.available_at <= now()
          AND q.reason IN ('refill', 'credential_changed')
        LIMIT most) AS due
$$;
COMMENT ON FUNCTION background_is_full IS 'Internal: whether so many refills are due already.';

-- A part is due to be tried again and no job is there to carry it: one engagement that lacks it is queued, unless one is
-- already. Any of the newest hundred: the very newest may have become private, and would tell nothing for ever.
CREATE FUNCTION queue_probe(credential text, denied_part text) RETURNS boolean
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    candidate text;
BEGIN
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
COMMENT ON FUNCTION queue_probe IS 'Internal: queues one engagement to try a denied part with.';

-- Queues dead letters of the causes of which one succeeded with the new token, in slices, least recently tried first.
CREATE FUNCTION release_dead(credential text, most bigint) RETURNS bigint
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    known credentials;
    n bigint;
BEGIN
    SELECT * INTO known FROM credentials AS c WHERE c.name = credential AND c._releasing <> '{}' FOR UPDATE SKIP LOCKED;
    IF known.name IS NULL OR background_is_full(most) THEN
        RETURN 0;
    END IF;
    WITH chosen AS MATERIALIZED (
        SELECT d.key FROM dead_letters AS d
        WHERE d.cause = ANY (known._releasing) AND d.last_at < known._released_at AND d._replayed_for IS NULL AND d.engagement_id IS NOT NULL
        ORDER BY d.last_at LIMIT most FOR UPDATE SKIP LOCKED
    ), noted AS (
        UPDATE dead_letters AS d SET _replayed_for = '' FROM chosen WHERE d.key = chosen.key
    ), added AS (
        INSERT INTO enrichment_queue (engagement_id, reason, priority, looks)
        SELECT c.key, 'credential_changed', -1, 4 FROM chosen AS c WHERE NOT queued(c.key)
    )
    -- Those that somebody has queued already count, too: others may stand behind them.
    SELECT count(*) INTO n FROM chosen;
    IF n = 0 THEN
        UPDATE credentials AS c SET _releasing = '{}' WHERE c.name = credential;
    END IF;
    RETURN n;
END $$;
COMMENT ON FUNCTION release_dead IS 'Internal: queues dead letters that a new token may read.';

-- For --on-scope-loss purge: forgets what is stored of a part that may not be read any more. A slice of the engagements after the
-- given id, in id order; the last one's id, NULL when none is left or the part is denied no more.
CREATE FUNCTION purge_part(credential text, lost text, after text, most bigint) RETURNS text
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    slice text[];
    holders text[];
BEGIN
    PERFORM FROM scope_denials AS d WHERE d.credential_name = credential AND d.part = lost FOR SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(e.id ORDER BY e.id) INTO slice
    FROM (SELECT i.id FROM engagements AS i WHERE i.id > after ORDER BY i.id LIMIT most) AS e;
    IF slice IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM lock_engagements(slice);
    UPDATE engagements AS e
    SET _parts = e._parts - lost, _changed_at = now(),
        owner_user_id = CASE WHEN lost = 'owner' AND NOT e._raw ? 'owner_user_id' THEN NULL ELSE e.owner_user_id END
    WHERE e.id = ANY (slice) AND e._parts ? lost;
    GET DIAGNOSTICS most = ROW_COUNT;
    IF most > 0 THEN
        SELECT array_agg(e.id) INTO holders FROM engagements AS e WHERE e.id = ANY (slice) AND NOT e._parts ? lost;
        INSERT INTO engagement_gaps AS g (engagement_id, part, cause, scope, _occurred_at)
        SELECT e.id, lost, 'scope_denied', part_scope(lost), coalesce(e.start_at, e.engagement_at, e.created_at)
        FROM engagements AS e WHERE e.id = ANY (holders) AND e._deleted_at IS NULL ORDER BY e.id
        ON CONFLICT (engagement_id, part) DO UPDATE SET last_delivered_at = NULL WHERE g.last_delivered_at IS NOT NULL;
        PERFORM purge_children(lost, holders);
    END IF;
    RETURN slice[cardinality(slice)];
END $$;
COMMENT ON FUNCTION purge_part IS 'Internal: forgets a part of a slice of engagements.';

CREATE FUNCTION purge_children(lost text, holders text[]) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    orphans text[];
BEGIN
    CASE lost
    WHEN 'contacts' THEN
        WITH gone AS (DELETE FROM engagement_contacts AS l WHERE l.engagement_id = ANY (holders) RETURNING l.contact_id)
        SELECT array_agg(DISTINCT contact_id) INTO orphans FROM gone;
        DELETE FROM contacts AS c WHERE c.id = ANY (orphans) AND NOT EXISTS (SELECT FROM engagement_contacts AS l WHERE l.contact_id = c.id);
        DELETE FROM crm_associations AS a WHERE a.subject_type = 'contact' AND a.subject_id = ANY (orphans)
            AND NOT EXISTS (SELECT FROM contacts AS c WHERE c.id = a.subject_id);
    WHEN 'companies' THEN
        WITH gone AS (DELETE FROM engagement_companies AS l WHERE l.engagement_id = ANY (holders) RETURNING l.company_id)
        SELECT array_agg(DISTINCT company_id) INTO orphans FROM gone;
        DELETE FROM companies AS c WHERE c.id = ANY (orphans) AND NOT EXISTS (SELECT FROM engagement_companies AS l WHERE l.company_id = c.id);
        DELETE FROM crm_associations AS a WHERE a.subject_type = 'company' AND a.subject_id = ANY (orphans)
            AND NOT EXISTS (SELECT FROM companies AS c WHERE c.id = a.subject_id);
    WHEN 'tags' THEN
        WITH gone AS (DELETE FROM engagement_tags AS l WHERE l.engagement_id = ANY (holders) RETURNING l.tag_id)
        SELECT array_agg(DISTINCT tag_id) INTO orphans FROM gone;
        DELETE FROM tags AS t WHERE t.id = ANY (orphans) AND NOT EXISTS (SELECT FROM engagement_tags AS l WHERE l.tag_id = t.id);
    -- Users come with this part alone: they go at once, whoever else they own.
    WHEN 'owner' THEN DELETE FROM users;
    WHEN 'action_items' THEN DELETE FROM engagement_action_items AS i WHERE i.engagement_id = ANY (holders);
    WHEN 'signals' THEN DELETE FROM engagement_signals AS i WHERE i.engagement_id = ANY (holders);
    WHEN 'transcript' THEN DELETE FROM engagement_transcripts AS t WHERE t.engagement_id = ANY (holders);
    WHEN 'media_url' THEN DELETE FROM engagement_media AS m WHERE m.engagement_id = ANY (holders);
    END CASE;
END $$;
COMMENT ON FUNCTION purge_children IS 'Internal: forgets what engagements hold of a part, and what no engagement holds any more.';

-- A person says that something was granted: all denied parts are due, a refused token is, and gaps that a refill did not fill.
CREATE FUNCTION recheck_scopes(credential text) RETURNS SETOF text LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE credentials AS c SET next_probe_at = now() WHERE c.name = credential AND c.state IN ('refused', 'forbidden');
    PERFORM FROM scope_denials AS d WHERE d.credential_name = credential ORDER BY d.part FOR UPDATE;
    UPDATE engagement_gaps AS g SET _queued_at = NULL, _refills = 0 WHERE g.cause = 'not_delivered' AND g._queued_at IS NOT NULL;
    RETURN QUERY UPDATE scope_denials AS d SET next_probe_at = now() WHERE d.credential_name = credential RETURNING d.part;
END $$;
COMMENT ON FUNCTION recheck_scopes IS 'Internal: makes everything due that the credential might read by now.';
