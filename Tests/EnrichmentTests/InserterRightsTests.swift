import Postgres
import TestKit
import Testing

/// An inserter's rights, one by one: the catalog's word, and the deed.
struct InserterRightsTests {
    private func withInserter(_ test: (TestDatabase, Connection, String) async throws -> Void) async throws {
        try await withTestDatabase { database in
            try await database.withRole { role in
                try await database.run(
                    """
                    GRANT USAGE ON SCHEMA askelephant TO \(role);
                    GRANT INSERT (engagement_id, reason, priority, available_at), SELECT (id) ON enrichment_queue TO \(role)
                    """)
                let inserter = try await database.connect(as: role)
                try await test(database, inserter, role)
                await inserter.close()
            }
        }
    }

    /// The trigger runs with its owner's rights, so nothing that an inserter puts in front of it may be called by it.
    @Test func noObjectOfTheInsertersIsCalledByTheTrigger() async throws {
        try await withInserter { database, inserter, role in
            try await database.run(
                """
                CREATE SCHEMA evil AUTHORIZATION \(role);
                INSERT INTO workers (boot_id, host, pid, version, idle_until) VALUES (1, 'h', 1, 'v', 'infinity')
                """)
            _ = try await inserter.run(
                script: """
                    CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'caught'; END $$;
                    CREATE FUNCTION evil.pg_notification_queue_usage() RETURNS float8 LANGUAGE plpgsql AS $$ BEGIN RAISE 'caught'; END $$;
                    CREATE FUNCTION evil.pg_notify(text, text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'caught'; END $$;
                    CREATE FUNCTION evil.later(timestamptz, timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'caught'; END $$;
                    CREATE FUNCTION evil.less(float8, numeric) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'caught'; END $$;
                    CREATE OPERATOR evil.> (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = evil.later);
                    CREATE OPERATOR evil.< (LEFTARG = float8, RIGHTARG = numeric, FUNCTION = evil.less);
                    CREATE TEMPORARY TABLE workers (idle_until timestamptz);
                    SET search_path = pg_temp, evil, pg_catalog;
                    INSERT INTO askelephant.enrichment_queue (engagement_id) VALUES ('ngmt_evil')
                    """, name: "evil")
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 1)
            try await database.run("DROP SCHEMA evil CASCADE")
        }
    }

    @Test func theCatalogKnowsOfNoOtherRight() async throws {
        try await withInserter { database, _, role in
            let rights = try await database.run(
                """
                SELECT c.relname || ' ' || a.attname || ' ' || v.verb AS granted
                FROM pg_class AS c
                JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) AS v(verb)
                WHERE c.relnamespace = 'askelephant'::regnamespace AND c.relkind IN ('r', 'v')
                  AND has_column_privilege('\(role)', c.oid, a.attnum, v.verb)
                UNION ALL
                SELECT c.relname || ' * ' || v.verb
                FROM pg_class AS c CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS v(verb)
                WHERE c.relnamespace = 'askelephant'::regnamespace AND c.relkind IN ('r', 'v') AND has_table_privilege('\(role)', c.oid, v.verb)
                UNION ALL
                SELECT c.relname || ' ' || v.verb
                FROM pg_class AS c CROSS JOIN unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) AS v(verb)
                WHERE c.relnamespace = 'askelephant'::regnamespace AND c.relkind = 'S' AND has_sequence_privilege('\(role)', c.oid, v.verb)
                UNION ALL
                SELECT 'schema ' || v.verb FROM unnest(ARRAY['USAGE', 'CREATE']) AS v(verb)
                WHERE has_schema_privilege('\(role)', 'askelephant', v.verb)
                UNION ALL
                SELECT p.proname || ' runs with its owner''s rights' FROM pg_proc AS p
                WHERE p.pronamespace = 'askelephant'::regnamespace AND p.prosecdef AND has_function_privilege('\(role)', p.oid, 'EXECUTE')
                ORDER BY 1
                """)
            #expect(
                try rights.map { try $0.text("granted") } == [
                    "enrichment_queue available_at INSERT", "enrichment_queue engagement_id INSERT",
                    "enrichment_queue id SELECT", "enrichment_queue priority INSERT", "enrichment_queue reason INSERT",
                    "schema USAGE",
                ])
        }
    }

    @Test func everyOtherDeedIsRefused() async throws {
        try await withInserter { database, inserter, _ in
            try await database.run("INSERT INTO enrichment_queue (engagement_id) VALUES ('ngmt_a')")
            let relations = try await database.run(
                """
                SELECT relname AS name, relkind = 'r' AS is_table, (SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum = 2) AS second
                FROM pg_class AS c WHERE relnamespace = 'askelephant'::regnamespace AND relkind IN ('r', 'v')
                """)
            #expect(relations.count > 20)
            for row in relations {
                let (name, column) = (try row.text("name"), try row.text("second"))
                var deeds = ["SELECT * FROM \(name)", "SELECT \(column) FROM \(name)"]
                if try row.boolean("is_table") {
                    deeds += [
                        "DELETE FROM \(name)", "UPDATE \(name) SET \(column) = NULL", "TRUNCATE \(name) CASCADE",
                        "DO $$ BEGIN LOCK TABLE \(name) IN ACCESS EXCLUSIVE MODE; END $$", "COPY \(name) TO STDOUT",
                        "CREATE INDEX ON \(name) (\(column))", "ALTER TABLE \(name) DISABLE TRIGGER ALL",
                        "DROP TABLE \(name) CASCADE",
                    ]
                    if name != "enrichment_queue" { deeds.append("INSERT INTO \(name) DEFAULT VALUES") }
                }
                for deed in deeds { try await expectRefusal(inserter, deed) }
            }
        }
    }

    @Test func theQueuesOtherColumnsAndTheFunctionsAreOutOfReach() async throws {
        try await withInserter { database, inserter, _ in
            for deed in [
                "INSERT INTO enrichment_queue (engagement_id, claims) VALUES ('a', 5)",
                "INSERT INTO enrichment_queue (id, engagement_id) VALUES (1, 'a')",
                "INSERT INTO enrichment_queue (engagement_id, leased_by) VALUES ('a', 1)",
                "INSERT INTO enrichment_queue (engagement_id) VALUES ('a') RETURNING engagement_id",
                "INSERT INTO enrichment_queue (engagement_id) VALUES ('a') ON CONFLICT (id) DO UPDATE SET reason = 'x'",
                "SELECT * FROM claim(1, 60, ARRAY[9,9,9], ARRAY['-infinity','-infinity','-infinity'], ARRAY[0,0,0])",
                "SELECT * FROM settle(1, ARRAY[1], ARRAY[1], ARRAY['dead'], ARRAY[0.0], ARRAY[false], ARRAY[false], ARRAY['a'], ARRAY['a'], ARRAY['a'], ARRAY['a'], ARRAY[NULL]::text[], ARRAY[NULL]::text[])",
                "SELECT * FROM reclaim(ARRAY[1])", "SELECT * FROM enrichment_state('ngmt_a')",
                "SELECT ring_bell()", "SELECT nextval('enrichment_queue_id_seq')", "CREATE TABLE askelephant.mine ()",
            ] { try await expectRefusal(inserter, deed) }
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 0)
        }
    }

    private func expectRefusal(_ inserter: Connection, _ deed: String) async throws {
        let error = try await postgresError { try await inserter.run(script: deed, name: "deed") }
        #expect(error?.sqlState == .insufficientPrivilege, "\(deed)")
    }
}
