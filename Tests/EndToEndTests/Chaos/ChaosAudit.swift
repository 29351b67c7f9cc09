/// What ``Audit`` does not write down: who was charged and for what, who gave jobs back and how long leases are, which links
/// were removed, which parts were denied.
enum ChaosAudit {
    static let install =
        Audit.install + """
            ALTER TABLE audit_gone ADD at timestamptz DEFAULT clock_timestamp();

            CREATE TABLE audit_charges (engagement_id text, error text, at_claim boolean, at timestamptz, boot_id bigint);
            CREATE OR REPLACE FUNCTION audit_charged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO audit_charges VALUES (NEW.engagement_id, NEW.last_error, NEW.claims > OLD.claims, clock_timestamp(), OLD.leased_by);
                RETURN NULL;
            END $$;

            CREATE TABLE audit_released (engagement_id text, boot_id bigint, tx xid8);
            CREATE INDEX ON audit_released (engagement_id);
            CREATE FUNCTION audit_released() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO audit_released SELECT NEW.engagement_id, b, pg_current_xact_id() FROM audit_boot() AS b
                WHERE b = OLD.leased_by;
                RETURN NULL;
            END $$;
            CREATE TRIGGER audit_released AFTER UPDATE ON enrichment_queue
                FOR EACH ROW WHEN (OLD.leased_by IS NOT NULL AND NEW.leased_by IS NULL) EXECUTE FUNCTION audit_released();

            -- The lease is 5 s.
            CREATE FUNCTION audit_leased() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO audit_faults
                VALUES (format('job %s is leased until %s at %s', NEW.id, NEW.available_at, clock_timestamp()));
                RETURN NULL;
            END $$;
            CREATE TRIGGER audit_leased AFTER UPDATE ON enrichment_queue FOR EACH ROW
                WHEN (NEW.leased_by IS NOT NULL AND NEW.available_at > clock_timestamp() + interval '5 s')
                EXECUTE FUNCTION audit_leased();

            -- What was left of an engagement's links at the end of a transaction that removed some.
            CREATE TABLE audit_links (engagement_id text, part text, left_over text[]);
            CREATE FUNCTION audit_unlinked() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                EXECUTE format('INSERT INTO audit_links SELECT $1, $2, ARRAY(SELECT %I FROM %I WHERE engagement_id = $1)'
                               ' WHERE EXISTS (SELECT FROM engagements WHERE id = $1 AND _deleted_at IS NULL)',
                               TG_ARGV[1], TG_TABLE_NAME) USING OLD.engagement_id, TG_ARGV[0];
                RETURN NULL;
            END $$;
            CREATE CONSTRAINT TRIGGER audit_unlinked AFTER DELETE ON engagement_contacts DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION audit_unlinked('contacts', 'contact_id');
            CREATE CONSTRAINT TRIGGER audit_unlinked AFTER DELETE ON engagement_companies DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION audit_unlinked('companies', 'company_id');
            CREATE CONSTRAINT TRIGGER audit_unlinked AFTER DELETE ON engagement_tags DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION audit_unlinked('tags', 'tag_id');

            CREATE FUNCTION audit_disowned() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO audit_links VALUES (NEW.id, 'owner', '{}');
                RETURN NULL;
            END $$;
            CREATE TRIGGER audit_disowned AFTER UPDATE ON engagements FOR EACH ROW
                WHEN (OLD.owner_user_id IS NOT NULL AND NEW.owner_user_id IS NULL) EXECUTE FUNCTION audit_disowned();

            CREATE TABLE audit_denials (part text, evidence_id text);
            CREATE FUNCTION audit_denied() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO audit_denials VALUES (NEW.part, NEW.evidence_id);
                RETURN NULL;
            END $$;
            CREATE TRIGGER audit_denied AFTER INSERT OR UPDATE OF evidence_id ON scope_denials
                FOR EACH ROW EXECUTE FUNCTION audit_denied();
            """

    /// Violations as text lines, none of them right, by the number of what must hold.
    static let violations: [(number: Int, sql: String)] = [
        // An id that was inserted is pending, a dead letter, or a row that was observed after the insert; that observation may
        // have lost against a newer version that was asked for earlier.
        (
            1,
            """
            SELECT format('%s inserted at %s, observed at %s', i.engagement_id, i.at,
                          greatest(e._observed_at, e._deleted_at, e._unreadable_since))
            FROM audit_inserts AS i LEFT JOIN engagements AS e ON e.id = i.engagement_id
            WHERE i.engagement_id ~ '^ngmt_[A-Za-z0-9]{1,64}$'
              AND NOT coalesce(e._observed_at >= i.at, false)
              AND NOT EXISTS (SELECT FROM audit_writes AS w WHERE w.engagement_id = i.engagement_id AND w.observed_at >= i.at)
              -- A tombstone keeps its time, however often it is looked at.
              AND NOT (e._deleted_at IS NOT NULL
                       AND EXISTS (SELECT FROM audit_gone AS g WHERE g.engagement_id = i.engagement_id AND g.at >= i.at))
              AND NOT EXISTS (SELECT FROM dead_letters AS d WHERE d.key = i.engagement_id AND d.last_at >= i.at)
              AND NOT EXISTS (SELECT FROM enrichment_queue AS q WHERE q.engagement_id = i.engagement_id)
            """
        ),
        (
            1,
            """
            SELECT format('%s invalid ids were inserted, %s are dead letters', i.n, d.n)
            FROM (SELECT count(*) AS n FROM audit_inserts WHERE engagement_id !~ '^ngmt_[A-Za-z0-9]{1,64}$') AS i,
                 (SELECT count(*) AS n FROM dead_letters WHERE cause = 'invalid_id') AS d
            WHERE i.n <> d.n
            """
        ),
        (
            2,
            "SELECT format('job %s was completed %s times', queue_id, count(*)) FROM audit_gone GROUP BY queue_id HAVING count(*) > 1"
        ),
        (
            2,
            """
            SELECT format('job %s of %s was completed by %s', queue_id, leased_by, boot_id) FROM audit_gone
            WHERE leased_by IS DISTINCT FROM boot_id
            """
        ),
        (
            2,
            """
            SELECT format('%s was written by %s, which held no job of it', w.engagement_id, w.boot_id) FROM audit_writes AS w
            WHERE NOT EXISTS (SELECT FROM audit_gone AS g WHERE g.engagement_id = w.engagement_id AND g.tx = w.tx
                              AND g.leased_by = w.boot_id AND g.boot_id = w.boot_id)
              AND NOT EXISTS (SELECT FROM audit_released AS r WHERE r.engagement_id = w.engagement_id AND r.tx = w.tx
                              AND r.boot_id = w.boot_id)
            """
        ),
        (3, orphans),
        (7, "SELECT what FROM audit_faults"),
        (6, "SELECT format('%s was charged at its claim', engagement_id) FROM audit_charges WHERE at_claim"),
        (
            6,
            """
            SELECT format('%s was charged for: %s', engagement_id, error) FROM audit_charges
            WHERE error IS NULL OR error !~ '\(apiErrors)'
            """
        ),
        (
            6,
            """
            SELECT format('%s is a dead letter: %s, %s', engagement_id, cause, error) FROM dead_letters
            WHERE cause NOT IN ('invalid_id', 'not_found', 'private', 'contract', 'api', 'network')
            """
        ),
        (
            10,
            """
            SELECT format('guard: %s', g.what) FROM (
                SELECT 'paused until ' || paused_until AS what FROM credentials WHERE paused_until > now() + interval '16 min'
                UNION ALL SELECT 'denied ' || part || ' until ' || next_probe_at FROM scope_denials
                          WHERE next_probe_at > now() + interval '30 h'
                UNION ALL SELECT 'idle until ' || idle_until FROM workers WHERE idle_until > now() + interval '2 min'
                UNION ALL SELECT 'job ' || id || ' available at ' || available_at FROM enrichment_queue
                          WHERE available_at > now() + interval '48 h'
            ) AS g
            """
        ),
        (
            9,
            "SELECT format('%s has a signed URL in _raw', id) FROM engagements WHERE _raw::text ~ 'SIGNATURE-|@people\\.example'"
        ),
    ]

    /// What errors of requests begin with; no other charges a job.
    private static let apiErrors = "^(HTTP 5|HTTP 200|timeout|reset|connect|other)"

    private static let orphans = [
        "engagement_contacts", "engagement_companies", "engagement_tags", "engagement_action_items",
        "engagement_signals",
        "engagement_transcripts", "engagement_media", "engagement_gaps",
    ].map { table in
        """
        SELECT format('\(table) has rows of %s, which is not there', c.engagement_id) FROM \(table) AS c
        WHERE NOT EXISTS (SELECT FROM engagements AS e WHERE e.id = c.engagement_id)
        """
    }.joined(separator: " UNION ALL ")
}
