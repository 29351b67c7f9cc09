-- What webhooks tell: each message once, with what follows from it in the same transaction.

CREATE TABLE webhook_events (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id   text        NOT NULL,
    event_id     text,
    type         text        NOT NULL,
    workspace_id text,
    object_id    text,
    created_at   timestamptz,
    received_at  timestamptz NOT NULL DEFAULT now(),
    outcome      text        NOT NULL
);
COMMENT ON TABLE webhook_events IS 'Webhooks that were taken, each once; kept for --event-retention. An event is a bell: of what it says only the id is used.';
COMMENT ON COLUMN webhook_events.message_id IS 'The sender''s id of the message (svix-id), the same in each delivery of it.';
COMMENT ON COLUMN webhook_events.event_id IS 'The event''s own id, evt_…; the same event in two messages counts once.';
COMMENT ON COLUMN webhook_events.object_id IS 'What the event is about: an engagement, contact, company or tag.';
COMMENT ON COLUMN webhook_events.created_at IS 'When the sender says that it happened.';
COMMENT ON COLUMN webhook_events.outcome IS 'queued: the engagement; spread: the engagements that hold the contact, company or tag, in the background; ignored: a type that says nothing of these.';
CREATE UNIQUE INDEX webhook_events_message ON webhook_events (message_id);
CREATE UNIQUE INDEX webhook_events_event ON webhook_events (event_id);
CREATE INDEX webhook_events_object ON webhook_events (object_id);

CREATE TABLE entity_changes (
    kind       text        NOT NULL,
    entity_id  text        NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    _after     text        NOT NULL DEFAULT '',
    _again     boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (kind, entity_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
COMMENT ON TABLE entity_changes IS 'Contacts, companies and tags of which a webhook told; workers queue the engagements that hold them, in slices, and delete the row.';
COMMENT ON COLUMN entity_changes.kind IS 'contact, company or tag.';
COMMENT ON COLUMN entity_changes._after IS 'The last engagement that was queued.';
COMMENT ON COLUMN entity_changes._again IS 'It was told of again meanwhile: at the end it begins anew.';
CREATE INDEX entity_changes_order ON entity_changes (changed_at);

-- One statement for many messages. A message or event that was taken before is passed over, with all that follows from it.
CREATE FUNCTION receive_events(messages text[], events text[], types text[], workspaces text[], objects text[], times text[], effects text[])
    RETURNS TABLE (message text) LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH told AS MATERIALIZED (
        SELECT DISTINCT ON (t.message) t.*
        FROM unnest(messages, events, types, workspaces, objects, times, effects) WITH ORDINALITY
            AS t(message, event, type, workspace, object, at, effect, n)
        ORDER BY t.message, t.n
    ), new AS (
        INSERT INTO webhook_events (message_id, event_id, type, workspace_id, object_id, created_at, outcome)
        SELECT t.message, t.event, t.type, t.workspace, t.object, json_timestamp(to_jsonb(t.at)),
               CASE WHEN t.effect IN ('enrich', 'deleted') THEN 'queued' WHEN t.effect = 'ignored' THEN 'ignored' ELSE 'spread' END
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
COMMENT ON FUNCTION receive_events IS 'Internal: takes webhooks, each once.';

-- So that what our own functions queued is counted without reading what others did.
CREATE INDEX enrichment_queue_ours ON enrichment_queue (reason, available_at)
    WHERE priority < 0 AND reason IN ('refill', 'credential_changed', 'entity_changed');

-- As in m0009, by that index.
CREATE OR REPLACE FUNCTION background_is_full(most bigint) RETURNS boolean
    LANGUAGE sql STABLE SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    SELECT count(*) >= most FROM (
        SELECT FROM enrichment_queue AS q
        WHERE q.priority < 0 AND q.reason IN ('refill', 'credential_changed') AND q.available_at <= now()
        LIMIT most) AS due
$$;

-- Queues engagements that hold what changed, the change that was told of first first, until so many wait. One that waits already is not
-- queued twice: its row is locked, so that nobody claims it, and fetches what was there before the change, until this is committed. A change
-- waits a minute: a request that was under way when it happened has brought its links by then.
CREATE FUNCTION spread_changes(most bigint) RETURNS bigint
    LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    c entity_changes;
    chosen text[];
    room bigint;
    queued bigint := 0;
    n bigint;
BEGIN
    SELECT most - count(*) INTO room FROM (
        SELECT FROM enrichment_queue AS q
        WHERE q.priority < 0 AND q.reason = 'entity_changed' AND q.available_at <= now()
        LIMIT most) AS due;
    FOR i IN 1 .. 100 LOOP
        EXIT WHEN room <= 0;
        SELECT * INTO c FROM entity_changes AS e WHERE e.changed_at < now() - interval '1 minute'
        ORDER BY e.changed_at LIMIT 1 FOR UPDATE SKIP LOCKED;
        EXIT WHEN NOT FOUND;
        BEGIN
            SELECT array_agg(h.id ORDER BY h.id) INTO chosen FROM (
                SELECT l.engagement_id AS id FROM engagement_contacts AS l WHERE c.kind = 'contact' AND l.contact_id = c.entity_id AND l.engagement_id > c._after
                UNION ALL
                SELECT l.engagement_id FROM engagement_companies AS l WHERE c.kind = 'company' AND l.company_id = c.entity_id AND l.engagement_id > c._after
                UNION ALL
                SELECT l.engagement_id FROM engagement_tags AS l WHERE c.kind = 'tag' AND l.tag_id = c.entity_id AND l.engagement_id > c._after
                ORDER BY 1 LIMIT room) AS h;
            IF coalesce(cardinality(chosen), 0) = room THEN
                UPDATE entity_changes AS e SET _after = chosen[room] WHERE e.kind = c.kind AND e.entity_id = c.entity_id;
            ELSIF c._again THEN
                UPDATE entity_changes AS e SET _after = '', _again = false, changed_at = now() WHERE e.kind = c.kind AND e.entity_id = c.entity_id;
            ELSE
                DELETE FROM entity_changes AS e WHERE e.kind = c.kind AND e.entity_id = c.entity_id;
            END IF;
            WITH waiting AS MATERIALIZED (
                SELECT q.engagement_id FROM enrichment_queue AS q
                WHERE left(q.engagement_id, 70) = ANY (chosen) AND q.leased_by IS NULL AND q.available_at <= now()
                ORDER BY q.id FOR UPDATE SKIP LOCKED
            )
            INSERT INTO enrichment_queue (engagement_id, reason, priority)
            SELECT e.id, 'entity_changed', -1 FROM engagements AS e
            WHERE e.id = ANY (chosen) AND e._deleted_at IS NULL AND e._unreadable_since IS NULL
              AND NOT EXISTS (SELECT FROM waiting AS w WHERE w.engagement_id = e.id)
            ORDER BY e.id;
            GET DIAGNOSTICS n = ROW_COUNT;
            queued := queued + n;
            room := room - n;
        EXCEPTION WHEN raise_exception OR integrity_constraint_violation OR data_exception THEN
            -- Somebody's trigger or constraint: the others go on, and this one is tried again in an hour.
            UPDATE entity_changes AS e SET changed_at = now() + interval '1 hour' WHERE e.kind = c.kind AND e.entity_id = c.entity_id;
        END;
    END LOOP;
    RETURN queued;
END $$;
COMMENT ON FUNCTION spread_changes IS 'Internal: queues engagements that hold what a webhook told of.';
