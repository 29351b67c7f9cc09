-- "migrate --with-outbox": one row for each engagement that a transaction changed, written by that transaction. May be run again.

CREATE TABLE IF NOT EXISTS outbox (
    tx            xid8        NOT NULL DEFAULT pg_current_xact_id(),
    engagement_id text,
    changed_at    timestamptz NOT NULL,
    is_gone       boolean     NOT NULL,
    _key          text        NOT NULL,
    PRIMARY KEY (tx, _key)
);
COMMENT ON TABLE outbox IS 'What changed, in the order of transactions. Read it by outbox_ready; kept for control.outbox_kept.';
COMMENT ON COLUMN outbox.tx IS 'The transaction that changed it; with _key the place in the order.';
COMMENT ON COLUMN outbox.engagement_id IS 'NULL for what was purged: only its _key is known.';
COMMENT ON COLUMN outbox.changed_at IS 'As in engagement_changes.';
COMMENT ON COLUMN outbox.is_gone IS 'Deleted at the source, or purged here.';
COMMENT ON COLUMN outbox._key IS 'What stands for the engagement, also once it is purged (engagements_live._key).';

-- A transaction that began earlier may commit later, so the newest rows are not the last to come. Up to the oldest transaction that
-- still writes, all have come: whoever goes on from the last (tx, _key) that was read here misses nothing.
CREATE OR REPLACE VIEW outbox_ready AS
SELECT o.tx, o._key, o.engagement_id, o.changed_at, o.is_gone
FROM outbox AS o WHERE o.tx < pg_snapshot_xmin(pg_current_snapshot());
COMMENT ON VIEW outbox_ready IS 'The outbox as far as it is complete. Read it ORDER BY tx, _key, from the last (tx, _key) that you have.';

CREATE OR REPLACE FUNCTION outbox_channel() RETURNS text LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT replace(bell_channel(), 'engagement_worker_', 'engagement_outbox_')
$$;
COMMENT ON FUNCTION outbox_channel IS 'The NOTIFY channel of the outbox. Its payload means nothing: look at outbox_ready.';

CREATE OR REPLACE FUNCTION fill_outbox() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    secret text := (SELECT c._hash_key FROM control AS c);
    n bigint;
BEGIN
    IF TG_OP = 'DELETE' THEN
        -- Purged, or deleted by somebody.
        DELETE FROM outbox AS o USING old_rows AS r WHERE o.engagement_id = r.id;
        INSERT INTO outbox AS o (engagement_id, changed_at, is_gone, _key)
        SELECT NULL, now(), true, keyed_hash(secret, 'engagement', r.id) FROM old_rows AS r ORDER BY r.id
        ON CONFLICT (tx, _key) DO UPDATE SET engagement_id = NULL, is_gone = true;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO outbox AS o (engagement_id, changed_at, is_gone, _key)
        SELECT r.id, r._changed_at, r._deleted_at IS NOT NULL, keyed_hash(secret, 'engagement', r.id) FROM new_rows AS r ORDER BY r.id
        ON CONFLICT (tx, _key) DO UPDATE SET engagement_id = excluded.engagement_id, is_gone = excluded.is_gone;
    ELSE
        INSERT INTO outbox AS o (engagement_id, changed_at, is_gone, _key)
        SELECT r.id, r._changed_at, r._deleted_at IS NOT NULL, keyed_hash(secret, 'engagement', r.id)
        FROM new_rows AS r JOIN old_rows AS b ON b.id = r.id
        WHERE r._changed_at <> b._changed_at OR (r._deleted_at IS NULL) <> (b._deleted_at IS NULL)
        ORDER BY r.id
        ON CONFLICT (tx, _key) DO UPDATE SET is_gone = excluded.is_gone;
    END IF;
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n > 0 AND pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_notify(outbox_channel(), '');
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION fill_outbox IS 'Internal: writes the outbox.';

CREATE OR REPLACE TRIGGER fill_outbox_insert AFTER INSERT ON engagements REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION fill_outbox();
CREATE OR REPLACE TRIGGER fill_outbox_update AFTER UPDATE ON engagements REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION fill_outbox();
CREATE OR REPLACE TRIGGER fill_outbox_delete AFTER DELETE ON engagements REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION fill_outbox();

-- Whoever may write engagements may write this, and whoever may read engagement_changes may read it.
DO $$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT DISTINCT c.relname, a.privilege_type, a.grantee::regrole AS role
             FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
             WHERE c.oid IN ('engagements'::regclass, 'engagement_changes'::regclass) AND a.grantee <> 0 AND a.grantee <> c.relowner LOOP
        IF r.relname = 'engagements' AND r.privilege_type = 'UPDATE' THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO %s', r.role);
        ELSIF r.relname = 'engagement_changes' AND r.privilege_type = 'SELECT' THEN
            EXECUTE format('GRANT SELECT ON outbox_ready TO %s', r.role);
        END IF;
    END LOOP;
END $$;
