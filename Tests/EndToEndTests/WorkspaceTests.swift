import Foundation
import Glibc
import Postgres
import Simulator
import TestKit
import Testing

/// Several workspaces in one process.
@Suite(.serialized) struct WorkspaceTests {
    private static let tokens = (acme: "sk-apik_acme.secret", globex: "sk-apik_globex.secret")
    /// The token is each workspace's own.
    private static let noToken: [String: String?] = ["ASKELEPHANT_TOKEN": nil]

    /// Two schemas with a token each, both known to the API; the flags that name them.
    private static func prepare(_ stage: Stage) async throws -> [String] {
        var flags: [String] = []
        for (name, token) in [("acme", tokens.acme), ("globex", tokens.globex)] {
            stage.world.setToken(token, scopes: SimScope.all)
            let file = TestCluster.folder + "/token-\(UUID().uuidString)"
            try token.write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try await stage.command(["migrate", "--schema", "ws_\(name)"]).status == 0)
            flags += ["--workspace", "\(name)=ws_\(name),\(file)"]
        }
        return flags
    }

    private static func insert(_ stage: Stage, _ ids: [String], into schema: String) async throws {
        try await stage.database.run(
            "INSERT INTO \(schema).enrichment_queue (engagement_id) VALUES "
                + ids.map { "('\($0)')" }.joined(separator: ","))
    }

    private static func live(_ schema: String, _ workspace: String) -> String {
        "SELECT count(*) FROM \(schema).engagements_live WHERE _workspace = '\(workspace)'"
    }

    @Test func eachHasItsOwnRowsAndOneConnectionListensForAll() async throws {
        try await Stage.run { stage in
            let flags = try await Self.prepare(stage)
            let worker = try stage.start(["run"] + flags, Self.noToken)
            try await worker.waitFor("worker.ready", count: 2)
            let listeners = """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'engagement-worker listen'
                """
            for (schema, workspace) in [("ws_acme", "acme"), ("ws_globex", "globex")] {
                let asleep = "SELECT count(*) FROM \(schema).workers WHERE idle_until > now()"
                try await stage.database.wait(for: asleep, toBe: "1")
                try await Self.insert(stage, stage.ids(0..<20), into: schema)
                try await stage.database.wait(for: Self.live(schema, workspace), toBe: "20")
            }
            #expect(try await stage.database.count(listeners) == 1)
            #expect(
                try await stage.database.count("SELECT count(*) FROM engagements") == 0,
                "the default schema is nobody's")
            let changes = "SELECT string_agg(DISTINCT _workspace, ',') FROM ws_acme.engagement_changes"
            #expect(try await stage.database.value(changes) == "acme")
            try await worker.waitFor("job.done", count: 40)
            let done = worker.records(of: "job.done")
            for name in ["acme", "globex"] {
                #expect(done.count { $0["workspace"] as? String == name } == 20)
                #expect(worker.records(of: "worker.start").count { $0["workspace"] as? String == name } == 1)
            }
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus() == 0)
            #expect(worker.records(of: "worker.stop").count == 1)
        }
    }

    /// With a poll of an hour: by the bell alone, and each bell wakes its own.
    @Test func eachBellWakesItsOwn() async throws {
        try await Stage.run { stage in
            let flags = try await Self.prepare(stage)
            let worker = try stage.start(["run", "--poll-interval", "1h"] + flags, Self.noToken)
            try await worker.waitFor("worker.ready", count: 2)
            for schema in ["ws_acme", "ws_globex"] {
                try await stage.database.wait(
                    for: "SELECT count(*) FROM \(schema).workers WHERE idle_until > now()", toBe: "1")
            }
            // The listener is lost and comes back for both.
            try await stage.database.run(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'engagement-worker listen'
                """)
            try await worker.waitFor("listen.restored", count: 2)
            #expect(
                Set(worker.records(of: "listen.lost").compactMap { $0["workspace"] as? String }) == ["acme", "globex"])
            for schema in ["ws_acme", "ws_globex", "ws_acme"] {
                let before = try await stage.database.count("SELECT count(*) FROM \(schema).engagements")
                let ids = schema == "ws_acme" && before > 0 ? stage.ids(1..<2) : stage.ids(0..<1)
                try await stage.database.wait(
                    for: "SELECT count(*) FROM \(schema).workers WHERE idle_until > now()", toBe: "1")
                try await Self.insert(stage, ids, into: schema)
                try await stage.database.wait(
                    for: "SELECT count(*) FROM \(schema).engagements", toBe: "\(before + 1)", within: .seconds(5))
            }
        }
    }

    @Test func aDeadTokenIsNotNoticedByTheOther() async throws {
        try await Stage.run { stage in
            let flags = try await Self.prepare(stage)
            stage.world.invalidate(Self.tokens.globex)
            let worker = try stage.start(["run"] + flags, Self.noToken)
            try await Self.insert(stage, stage.ids(0..<200), into: "ws_globex")
            try await Self.insert(stage, stage.ids(0..<200), into: "ws_acme")
            try await stage.database.wait(for: Self.live("ws_acme", "acme"), toBe: "200")
            try await worker.waitFor("credential.invalid")
            // And again while it is known to be dead.
            try await Self.insert(stage, stage.ids(200..<400), into: "ws_acme")
            try await stage.database.wait(for: Self.live("ws_acme", "acme"), toBe: "400")
            #expect(try await stage.database.count("SELECT count(*) FROM ws_globex.enrichment_queue") == 200)
            #expect(try await stage.database.count("SELECT count(*) FROM ws_globex.dead_letters") == 0)
            let named = worker.records(of: "credential.invalid").compactMap { $0["workspace"] as? String }
            #expect(Set(named) == ["globex"])
            var acme: [[String: Any]] = []
            try await eventually("each is told of") {
                acme = worker.records(of: "job.done").filter { $0["workspace"] as? String == "acme" }
                return acme.count >= 400
            }
            #expect(acme.count == 400 && acme.allSatisfy { $0["outcome"] as? String == "enriched" })
            stage.world.validate(Self.tokens.globex)
            worker.signal(SIGHUP)
            try await stage.database.wait(for: Self.live("ws_globex", "globex"), toBe: "200")
        }
    }

    /// A schema that is locked, and a backlog: the other goes on beside both.
    @Test func neitherALockNorABacklogOfOneHoldsTheOther() async throws {
        try await Stage.run { stage in
            let flags = try await Self.prepare(stage)
            let worker = try stage.start(["run", "--concurrency", "4"] + flags, Self.noToken)
            try await worker.waitFor("worker.ready", count: 2)
            stage.world.setLatency(.milliseconds(20))
            try await Self.insert(stage, stage.ids(0..<2_000), into: "ws_globex")
            let person = try await stage.database.connect()
            for round in 0..<10 {
                if round == 5 {
                    try await person.run(
                        script: "BEGIN; LOCK TABLE ws_globex.engagements IN EXCLUSIVE MODE", name: "lock")
                }
                try await Self.insert(stage, stage.ids(round..<round + 1), into: "ws_acme")
                try await stage.database.wait(for: Self.live("ws_acme", "acme"), toBe: "\(round + 1)")
            }
            let left = try await stage.database.count("SELECT count(*) FROM ws_globex.enrichment_queue")
            #expect(left > 1_000, "the backlog had ended before")
            await person.close()
            let waits = worker.records(of: "job.done").filter { $0["workspace"] as? String == "acme" }
                .compactMap { $0["wait_ms"] as? Int }
            printFigure(
                "workspaces: 10 jobs beside a backlog of 2,000 of another waited \(waits.max() ?? 0) ms at most")
        }
    }

    /// One waits for a lock when the process starts, and is heard once it is there; one becomes too new for the binary. The other works.
    @Test func oneThatCannotStartOrGoOnHoldsNobody() async throws {
        try await Stage.run { stage in
            let flags = try await Self.prepare(stage)
            let person = try await stage.database.connect()
            try await person.run(script: "BEGIN; LOCK TABLE ws_globex.workers IN SHARE MODE", name: "lock")
            let worker = try stage.start(["run"] + flags, Self.noToken)
            try await Self.insert(stage, stage.ids(0..<5), into: "ws_acme")
            try await stage.database.wait(for: Self.live("ws_acme", "acme"), toBe: "5")
            try await worker.waitFor("db.lost")
            #expect(worker.records(of: "db.lost").first?["workspace"] as? String == "globex")
            await person.close()
            try await Self.insert(stage, stage.ids(0..<5), into: "ws_globex")
            try await stage.database.wait(for: Self.live("ws_globex", "globex"), toBe: "5")

            let latest = try await stage.database.count("SELECT max(version) FROM ws_globex.schema_migrations")
            try await stage.database.run(
                "INSERT INTO ws_globex.schema_migrations (version, name, checksum, binary_version) VALUES (\(latest + 1), 'x', 'x', 'x'), (\(latest + 2), 'y', 'y', 'y')"
            )
            try await worker.waitFor("schema.mismatch")
            #expect(worker.records(of: "schema.mismatch").first?["workspace"] as? String == "globex")
            try await Self.insert(stage, stage.ids(5..<10), into: "ws_acme")
            try await stage.database.wait(for: Self.live("ws_acme", "acme"), toBe: "10")
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus() == 65)
            #expect(worker.records(of: "schema.mismatch").count == 1)
        }
    }

    /// Asked to stop while one waits for a right and the database has gone away.
    @Test func whoStillPreparesDoesNotHoldTheEnd() async throws {
        try await Stage.run { stage in
            let flags = try await Self.prepare(stage)
            let person = try await stage.database.connect()
            try await person.run(script: "BEGIN; LOCK TABLE ws_globex.workers IN SHARE MODE", name: "lock")
            let proxy = try FaultProxy(to: TestCluster.port)
            let conninfo = "host=127.0.0.1 port=\(proxy.port) user=postgres dbname=\(stage.database.name)"
            let worker = try stage.start(
                ["run", "--drain-timeout", "2s"] + flags, ["ASKELEPHANT_TOKEN": nil, "DATABASE_URL": conninfo])
            try await worker.waitFor("worker.ready")
            try await worker.waitFor("db.lost")
            proxy.stop()
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus(within: .seconds(15)) == 0)
            await person.close()
        }
    }

    /// One whose schema is not there ends all at once, before anything is in hand, and says which.
    @Test func aSchemaThatIsNotThereIsSaid() async throws {
        try await Stage.run { stage in
            var flags = try await Self.prepare(stage)
            flags += ["--workspace", "third=ws_third,/tmp/none"]
            let ended = try await stage.command(["run"] + flags, Self.noToken)
            #expect(ended.status == 65)
            #expect(ended.errors.contains("ws_third"), "\(ended.errors)")
        }
    }

    @Test func theFileNamesThemTooAndCommandsTakeTheirToken() async throws {
        try await Stage.run { stage in
            let flags = try await Self.prepare(stage)
            let file = TestCluster.folder + "/workspaces-\(UUID().uuidString)"
            try ("# ours\n\n" + flags.filter { $0 != "--workspace" }.joined(separator: "\n") + "\n")
                .write(toFile: file, atomically: true, encoding: .utf8)
            try await Self.insert(stage, stage.ids(0..<5), into: "ws_acme")
            try await Self.insert(stage, stage.ids(0..<7), into: "ws_globex")
            let ended = try await stage.command(["run", "--once", "--workspaces-file", file], Self.noToken)
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await stage.database.count(Self.live("ws_acme", "acme")) == 5)
            #expect(try await stage.database.count(Self.live("ws_globex", "globex")) == 7)
            // With the token of that schema and no other: not one of the surroundings, nor one that is given besides.
            let both = try await stage.command([
                "config", "print", "--workspaces-file", file, "--schema", "ws_acme", "--concurrency", "0",
            ])
            #expect(
                both.status == 78 && both.errors.contains("both give a token") && both.errors.contains("concurrency"),
                "\(both.errors)")
            let surroundings = TestCluster.folder + "/credentials-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: surroundings, withIntermediateDirectories: false)
            try "sk-apik_nobody.secret".write(
                toFile: surroundings + "/askelephant-token", atomically: true, encoding: .utf8)
            #expect(
                try await stage.command(
                    ["enrich", stage.world.id(8), "--workspaces-file", file, "--schema", "ws_acme"],
                    ["ASKELEPHANT_TOKEN": nil, "CREDENTIALS_DIRECTORY": surroundings]
                ).status == 0)
            stage.world.removeToken(Self.tokens.globex)
            let enrich = ["enrich", stage.world.id(9), "--workspaces-file", file, "--schema"]
            #expect(try await stage.command(enrich + ["ws_acme"], Self.noToken).status == 0)
            #expect(try await stage.command(enrich + ["ws_globex"], Self.noToken).status == 77)
        }
    }
}
