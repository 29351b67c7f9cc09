import Foundation
import Postgres
import Simulator
import TestKit
import Testing

/// Ten set-ups that are broken, as newcomers have them: each gives one clear message and the right next command, from `run`
/// and from `doctor`.
@Suite(.serialized) struct BrokenSetupTests {
    /// What `run` ends with: its code, and what it says.
    private func runEnds(
        _ stage: Stage, _ changes: [String: String?], _ flags: [String] = [], with code: Int32, saying words: [String]
    ) async throws {
        let ended = try await stage.command(["run"] + flags, changes)
        #expect(ended.status == code, "\(ended.errors)")
        for word in words { #expect(ended.errors.contains(word), "\(word) in \(ended.errors)") }
        #expect(ended.errors.split(separator: "\n").filter { $0.hasPrefix("Error:") }.count == 1)
        #expect(ended.errors.contains("\nTry:   "))
    }

    /// The one line with the mark and the area, and what is to be done, on the line below.
    private func doctor(
        _ stage: Stage, _ changes: [String: String?] = [:], _ flags: [String] = [], exits code: Int32,
        finds line: String,
        next: String
    ) async throws {
        let ended = try await stage.command(["doctor"] + flags, changes)
        #expect(ended.status == code, "\(ended.output) \(ended.errors)")
        let lines = ended.output.split(separator: "\n").map(String.init)
        // One space where the table has many.
        let plain = lines.map { $0.split(separator: " ").joined(separator: " ") }
        let index = plain.firstIndex { $0.contains(line) }
        #expect(index != nil, "\(line) in \(ended.output)")
        if let index, index + 1 < plain.count { #expect(plain[index + 1].contains(next), "\(next) in \(ended.output)") }
        for (index, line) in plain.enumerated() where line.hasPrefix("✗") || line.hasPrefix("!") {
            #expect(index + 1 < plain.count && plain[index + 1].hasPrefix("→"), "nothing to do: \(line)")
        }
        #expect((code == 0) == !plain.contains { $0.hasPrefix("✗") })
        #expect((code == 0) == (plain.last == "run can work"))
    }

    private func beats(_ stage: Stage, _ field: String, _ value: String) async throws {
        try await stage.database.wait(
            for: "SELECT coalesce(max(heartbeat ->> '\(field)'), '') FROM workers", toBe: value, within: .seconds(25))
    }

    @Test func whatIsWholeIsSaidToBe() async throws {
        try await Stage.run { stage in
            stage.world.register(stage.ids(0..<1))
            try await stage.insert(stage.ids(0..<1))
            #expect(try await stage.command(["run", "--once"]).status == 0)
            let ended = try await stage.command(["doctor"])
            #expect(ended.status == 0, "\(ended.output)")
            #expect(!ended.output.contains("✗") && !ended.output.contains("!"), "\(ended.output)")
            #expect(ended.output.contains("readable: companies, contacts, owner"))
            #expect(ended.output.hasSuffix("run can work\n"))
            // It writes nothing: it works where nobody may.
            let reading = try await stage.command(
                ["doctor"], ["DATABASE_URL": stage.database.conninfo + " options='-c default_transaction_read_only=on'"]
            )
            #expect(reading.status == 0, "\(reading.output)")
            let json = try await stage.command(["doctor", "--output", "json"])
            let found = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]])
            #expect(found.allSatisfy { Set($0.keys) == ["status", "check", "text", "next"] })
            #expect(found.allSatisfy { $0["status"] as? String == "ok" })
            // Without asking anybody.
            let offline = try await stage.command(
                ["doctor", "--offline"], ["DATABASE_URL": "postgresql://127.0.0.1:1/x"])
            #expect(offline.status == 0 && offline.output.contains("--offline"))
        }
    }

    @Test func aWrongPassword() async throws {
        try await Stage.run { stage in
            let role = "guarded_\(UInt32.random(in: 0 ... .max))"
            try await stage.database.run("CREATE ROLE \(role) LOGIN PASSWORD 'right'")
            let file = try await stage.database.value("SHOW hba_file")
            let hba = try #require(file)
            try await stage.database.run(
                """
                COPY (SELECT 'host all \(role) 127.0.0.1/32 scram-sha-256') TO PROGRAM
                    'rest=$(cat \(hba)); (cat; printf "%s\\n" "$rest") > \(hba)';
                SELECT pg_reload_conf()
                """)
            let url = [
                "DATABASE_URL": String?.some(
                    TestCluster.conninfo(stage.database.name) + " host=127.0.0.1 user=\(role) password=wrong")
            ]
            try await eventually("the server asks for a password") {
                try await stage.command(["status"], url).errors.contains("28P01")
            }
            try await runEnds(
                stage, url, with: 78,
                saying: ["refuses this user or password", "28P01", "correct user and password in DATABASE_URL"])
            try await doctor(
                stage, url, exits: 1, finds: "✗ database Postgres refuses this user or password",
                next: "correct user and password in DATABASE_URL")
            try await stage.database.run("DROP ROLE \(role)")
        }
    }

    @Test func noSuchDatabase() async throws {
        try await Stage.run { stage in
            let url = ["DATABASE_URL": String?.some(TestCluster.conninfo("nobody_made_this"))]
            try await runEnds(stage, url, with: 78, saying: ["there is no such database", "createdb"])
            try await doctor(stage, url, exits: 1, finds: "✗ database there is no such database", next: "createdb")
        }
    }

    @Test func unmigrated() async throws {
        try await Stage.run { stage in
            let flags = ["--schema", "fresh"]
            try await runEnds(
                stage, [:], flags, with: 65,
                saying: ["has no tables of ours", "engagement-worker migrate --schema 'fresh'"])
            try await doctor(
                stage, [:], flags, exits: 1, finds: "✗ schema the schema fresh has no tables of ours",
                next: "→ engagement-worker migrate --schema 'fresh'")
        }
    }

    @Test func aSchemaTwoVersionsNewer() async throws {
        try await Stage.run { stage in
            try await stage.database.run(
                """
                INSERT INTO schema_migrations (version, name, checksum, binary_version)
                SELECT max(version) + n, 'later', 'x', '9' FROM schema_migrations, generate_series(1, 2) AS n GROUP BY n
                """)
            try await runEnds(
                stage, [:], with: 65,
                saying: ["this binary knows version", "install the engagement-worker that migrated it"])
            try await doctor(
                stage, exits: 1, finds: "✗ schema the schema askelephant is at version",
                next: "→ install the engagement-worker that migrated it, or a newer one")
        }
    }

    @Test func noRightOnOneTable() async throws {
        try await Stage.run { stage in
            let role = "worker_\(UInt32.random(in: 0 ... .max))"
            try await stage.database.run(
                """
                CREATE ROLE \(role) LOGIN;
                GRANT USAGE ON SCHEMA askelephant TO \(role);
                GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA askelephant TO \(role);
                REVOKE INSERT ON engagement_gaps FROM \(role)
                """)
            let url = ["DATABASE_URL": String?.some(TestCluster.conninfo(stage.database.name) + " user=\(role)")]
            try await doctor(
                stage, url, exits: 1, finds: "✗ rights \(role) lacks INSERT on table engagement_gaps",
                next: "GRANT INSERT ON \"askelephant\".\"engagement_gaps\" TO \"\(role)\"")
            stage.world.revoke("contacts:read")
            let worker = try await stage.worker([], url)
            try await stage.insert(stage.ids(0..<1))
            try await worker.waitFor("db.lost")
            let lost = try #require(worker.records(of: "db.lost").first)
            #expect(lost["cause"] as? String == "privilege")
            #expect((lost["hint"] as? String)?.contains("engagement-worker doctor") == true)
            // It cannot write what it needs, but can say so.
            try await beats(
                stage, "why",
                "the database does not serve: privilege; grant the role its rights: engagement-worker doctor names each that is missing"
            )
            let blocked = try await stage.command(["status"])
            #expect(blocked.output.hasPrefix("BLOCKED · the database does not serve: privilege;"), "\(blocked.output)")
            try await stage.database.run("GRANT INSERT ON engagement_gaps TO \(role)")
            try await stage.drained()
            try await worker.waitFor("db.restored")
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus() == 0)

            try await stage.database.run("REVOKE USAGE ON SCHEMA askelephant FROM \(role)")
            try await doctor(
                stage, url, exits: 1, finds: "✗ rights \(role) lacks",
                next: "→ GRANT USAGE ON SCHEMA \"askelephant\" TO \"\(role)\"")
            let status = try await stage.command(["status"], url)
            #expect(status.status == 78 && status.errors.contains("the role lacks a right"), "\(status.errors)")
            try await stage.database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
        }
    }

    @Test func aPoolerInTheWay() async throws {
        try await Stage.run { stage in
            try await PgBouncer.run(.transaction) { bouncer in
                let pooled = ["DATABASE_URL": String?.some(bouncer.conninfo(stage.database.name))]
                try await doctor(
                    stage, pooled, exits: 0, finds: "! notifications do not come back",
                    next: "→ set ENGAGEMENT_WORKER_LISTEN_DATABASE_URL")
                let both = pooled.merging(["ENGAGEMENT_WORKER_LISTEN_DATABASE_URL": stage.database.conninfo]) { $1 }
                let good = try await stage.command(["doctor"], both)
                #expect(good.output.contains("come back by ENGAGEMENT_WORKER_LISTEN_DATABASE_URL"), "\(good.output)")
                let twice = pooled.merging([
                    "ENGAGEMENT_WORKER_LISTEN_DATABASE_URL": bouncer.conninfo(stage.database.name)
                ]) { $1 }
                try await doctor(
                    stage, twice, exits: 0,
                    finds: "ENGAGEMENT_WORKER_LISTEN_DATABASE_URL leads through a transaction pooler",
                    next: "the server itself")
                let worker = try await stage.worker([], pooled)
                try await worker.waitFor("listen.lost")
                let lost = try #require(worker.records(of: "listen.lost").first)
                #expect(lost["cause"] as? String == "pooler")
                #expect((lost["hint"] as? String)?.contains("ENGAGEMENT_WORKER_LISTEN_DATABASE_URL") == true)
                try await beats(stage, "listen", "polling")
            }
        }
    }

    @Test func aBadKey() async throws {
        try await Stage.run { stage in
            stage.world.invalidate(Simulator.demoToken)
            try await doctor(
                stage, exits: 1, finds: "refuses the credential (401, request rid_",
                next: "→ put a valid key into ASKELEPHANT_TOKEN_FILE")
            let worker = try await stage.worker()
            try await stage.insert(stage.ids(0..<1))
            try await worker.waitFor("credential.invalid")
            let hint = worker.records(of: "credential.invalid").first?["hint"] as? String
            #expect(hint?.contains("put a valid token into ASKELEPHANT_TOKEN_FILE") == true)
            try await beats(stage, "why", "the API refuses the credential")
            let once = try await stage.command(["run", "--once"])
            #expect(once.status == 77)
        }
    }

    @Test func aMissingScope() async throws {
        try await Stage.run { stage in
            stage.world.register(stage.ids(0..<1))
            stage.world.revoke("contacts:read")
            let worker = try await stage.worker()
            try await stage.insert(stage.ids(0..<1))
            try await worker.waitFor("scope.denied")
            #expect(
                (worker.records(of: "scope.denied").first?["hint"] as? String)?.contains("grant contacts:read") == true)
            try await beats(stage, "parts_denied", #"["contacts"]"#)
            try await doctor(
                stage, exits: 0, finds: "! scopes contacts cannot be read: everything else is",
                next: "→ grant contacts:read to the key")
            stage.world.revoke("engagements:read")
            try await doctor(
                stage, exits: 1, finds: "✗ API the credential lacks engagements:read",
                next: "→ grant engagements:read to the key")
        }
    }

    @Test func noWayToTheAPI() async throws {
        let listener = try SilentListener()
        listener.close()
        try await Stage.run { stage in
            let address = "http://127.0.0.1:\(listener.port)/api"
            let url = ["ASKELEPHANT_BASE_URL": String?.some(address)]
            try await doctor(
                stage, url, exits: 1, finds: "✗ API \(address) is not reached: nobody listens there",
                next: "→ check ASKELEPHANT_BASE_URL")
            let worker = try await stage.worker([], url)
            // More than are tried at a time.
            try await stage.insert(stage.ids(0..<500))
            try await worker.waitFor("api.lost")
            #expect(
                (worker.records(of: "api.lost").first?["hint"] as? String)?.contains("ASKELEPHANT_BASE_URL") == true)
            try await beats(stage, "why", "the API does not serve")
        }
    }

    @Test func aClockThatIsOffByTenMinutes() async throws {
        try await Stage.run { stage in
            let clock = try await MovedClock()
            for (seconds, word) in [(600, "ahead of"), (-600, "behind")] {
                try clock.move(by: seconds)
                let moved = clock.environment.mapValues(String?.some)
                try await doctor(
                    stage, moved, exits: 0, finds: "! clock this host's clock is 10 min \(word) the database's",
                    next: "→ set it right: timedatectl set-ntp true")
                // Webhooks are judged by it.
                try await doctor(
                    stage, moved, ["--receive", "--webhook-secret-file", try Webhooks.secretFile()], exits: 1,
                    finds: "every webhook would be refused", next: "→ set it right")
                let worker = try await stage.worker([], moved)
                try await worker.waitFor("clock.skew")
                #expect((worker.records(of: "clock.skew").first?["hint"] as? String)?.contains("timedatectl") == true)
                worker.signal(SIGTERM)
                #expect(try await worker.exitStatus() == 0)
            }
        }
    }
}
