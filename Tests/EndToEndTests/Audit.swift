import TestKit

/// Triggers that only tests have. They write down who claims, who completes and who writes, so that a check from outside
/// need not believe what the workers say of themselves.
///
/// Every session of a worker holds a shared advisory lock on its boot id, so the boot id of whoever runs a trigger is to be
/// found in `pg_locks`; the exclusive ones are those of single transactions.
enum Audit {
    static let install = """
        CREATE TABLE audit_inserts (engagement_id text, at timestamptz);
        CREATE TABLE audit_claims (queue_id bigint, claims bigint, boot_id bigint);
        CREATE TABLE audit_gone (queue_id bigint, engagement_id text, leased_by bigint, boot_id bigint, tx xid8);
        CREATE TABLE audit_writes (engagement_id text, boot_id bigint, tx xid8, observed_at timestamptz);
        CREATE TABLE audit_faults (what text);
        CREATE INDEX ON audit_gone (engagement_id);

        CREATE FUNCTION audit_boot() RETURNS bigint LANGUAGE sql AS $$
            SELECT (l.classid::bigint << 32) | l.objid::bigint FROM pg_locks AS l
            WHERE l.locktype = 'advisory' AND l.pid = pg_backend_pid() AND l.mode = 'ShareLock' AND l.objsubid = 1
        $$;

        CREATE FUNCTION audit_inserted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO audit_inserts SELECT engagement_id, clock_timestamp() FROM fresh WHERE reason IS DISTINCT FROM 'not_ready';
            RETURN NULL;
        END $$;
        CREATE TRIGGER audit_inserted AFTER INSERT ON enrichment_queue
            REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION audit_inserted();

        CREATE FUNCTION audit_claimed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO audit_claims VALUES (NEW.id, NEW.claims, NEW.leased_by);
            RETURN NULL;
        END $$;
        CREATE TRIGGER audit_claimed AFTER UPDATE ON enrichment_queue
            FOR EACH ROW WHEN (NEW.claims > OLD.claims) EXECUTE FUNCTION audit_claimed();

        CREATE FUNCTION audit_charged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO audit_faults VALUES (format('job %s: attempts rose to %s (%s)', NEW.id, NEW.attempts, NEW.last_error));
            RETURN NULL;
        END $$;
        CREATE TRIGGER audit_charged AFTER UPDATE ON enrichment_queue
            FOR EACH ROW WHEN (NEW.attempts > OLD.attempts) EXECUTE FUNCTION audit_charged();

        CREATE FUNCTION audit_completed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO audit_gone SELECT id, engagement_id, leased_by, audit_boot(), pg_current_xact_id() FROM gone
            -- A look that nobody holds goes when it is needed no more.
            WHERE leased_by IS NOT NULL OR reason IS DISTINCT FROM 'not_ready';
            RETURN NULL;
        END $$;
        CREATE TRIGGER audit_completed AFTER DELETE ON enrichment_queue
            REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION audit_completed();

        CREATE FUNCTION audit_written() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO audit_writes SELECT id, audit_boot(), pg_current_xact_id(), _observed_at FROM written;
            RETURN NULL;
        END $$;
        CREATE TRIGGER audit_written_first AFTER INSERT ON engagements
            REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION audit_written();
        CREATE TRIGGER audit_written_again AFTER UPDATE ON engagements
            REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION audit_written();
        """

    /// Rows completed by somebody else than their holder, writes without a completed row of the same transaction, and
    /// charged attempts, as text; none is right.
    static let faults = """
        SELECT coalesce(string_agg(f.what, E'\\n'), '') FROM (
            SELECT what FROM audit_faults
            UNION ALL
            SELECT format('job %s of %s was completed by %s', queue_id, leased_by, boot_id) FROM audit_gone
            WHERE leased_by IS DISTINCT FROM boot_id
            UNION ALL
            SELECT format('%s was written by %s, which held no job of it', w.engagement_id, w.boot_id) FROM audit_writes AS w
            WHERE NOT EXISTS (SELECT FROM audit_gone AS g WHERE g.engagement_id = w.engagement_id AND g.tx = w.tx
                              AND g.leased_by = w.boot_id AND g.boot_id = w.boot_id)
        ) AS f
        """

    /// Inserted ids without a row that was observed after the insert.
    static let stale = """
        SELECT count(*) FROM audit_inserts AS i LEFT JOIN engagements AS e ON e.id = i.engagement_id
        WHERE e._observed_at IS NULL OR e._observed_at < i.at
        """
}
