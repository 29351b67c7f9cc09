import AskElephant
package import Enrichment
import Postgres
package import Simulator
import Synchronization

/// A database, a simulator and a token, for tests about what the token may read.
package struct ScopeLab: Sendable {
    package static let everything: Set<String> = [
        "engagements:read", "engagements:private:read", "companies:read", "contacts:read", "users:read",
    ]
    package static let token = "sk-apik_lab.secret"

    package let database: TestDatabase
    package let simulator: Simulator
    package let file = TokenFile(ScopeLab.token)

    package var world: World { simulator.world }

    /// Runs the test with a token that lacks these scopes.
    package static func run(
        without missing: Set<String> = [], switches: Switches = Switches(), seed: UInt64 = .random(in: 1...1_000_000),
        _ test: (ScopeLab) async throws -> Void
    ) async throws {
        print("seed \(seed)")
        try await withTestDatabase { database in
            var settings = SimulatorSettings()
            settings.transcriptBytes = 50...100
            settings.children = 1...2
            settings.unfinishedPercent = 0
            let simulator = Simulator(seed: seed, settings: settings, switches: switches)
            simulator.world.setToken(token, scopes: everything.subtracting(missing))
            try await simulator.start()
            let lab = ScopeLab(database: database, simulator: simulator)
            do {
                try await test(lab)
            } catch {
                await simulator.stop()
                throw error
            }
            await simulator.stop()
        }
    }

    package func worker(_ change: (inout Worker.Configuration) -> Void = { _ in }) async throws -> TestWorker {
        try await TestWorker(
            database, simulator, credentials: CredentialSource { [file] in Secret(file.token) }, isNewCredential: true,
            change: change)
    }

    /// The ids of engagements by number.
    package func ids(_ numbers: Range<Int>) -> [String] { numbers.map { world.id($0) } }

    package func insert(_ ids: [String], priority: Int = 0) async throws {
        let rows = ids.map { "('\($0)', \(priority))" }.joined(separator: ",")
        try await database.run("INSERT INTO enrichment_queue (engagement_id, priority) VALUES \(rows)")
    }

    /// Waits until nothing is due or in hand.
    package func drained(within limit: Duration = .seconds(60)) async throws {
        try await database.wait(
            for: "SELECT count(*) FROM enrichment_queue WHERE leased_by IS NOT NULL OR available_at <= now()",
            toBe: "0",
            within: limit)
    }

    /// Every gap of a permission as "part cause", with how many there are.
    package func gaps() async throws -> [String: Int] {
        let rows = try await database.run(
            """
            SELECT part || ' ' || cause AS gap, count(*)::text AS n FROM engagement_gaps
            WHERE cause <> 'not_ready' GROUP BY 1
            """)
        var gaps: [String: Int] = [:]
        for row in rows { gaps[try row.text("gap")] = Int(try row.text("n")) }
        return gaps
    }

    /// Makes another token with these scopes, and puts it into the file.
    package func replaceToken(_ token: String, scopes: Set<String> = everything) {
        world.setToken(token, scopes: scopes)
        file.token = token
    }

    /// What `scopes recheck` does.
    package func recheck() async throws {
        try await database.run(
            """
            UPDATE scope_denials SET next_probe_at = now();
            UPDATE credentials SET next_probe_at = now() WHERE state IN ('refused', 'forbidden')
            """)
    }

    /// Waits until no permission's gap is left.
    package func filled(within limit: Duration = .seconds(60)) async throws {
        do {
            try await database.wait(
                for: "SELECT count(*) FROM engagement_gaps WHERE cause <> 'not_ready'", toBe: "0", within: limit)
        } catch let error as TimedOut {
            throw TimedOut(description: error.description + "\n" + (try await database.value(Self.state) ?? ""))
        }
    }

    /// What keeps gaps from being filled: a few of them, of the denials and of the jobs.
    private static let state = """
        SELECT concat_ws(E'\\n', 'at ' || clock_timestamp(),
            (SELECT string_agg(to_jsonb(g)::text, ' ') FROM (SELECT * FROM engagement_gaps LIMIT 5) AS g),
            (SELECT string_agg(to_jsonb(d)::text, ' ') FROM scope_denials AS d),
            (SELECT string_agg(to_jsonb(q)::text, ' ') FROM (SELECT * FROM enrichment_queue ORDER BY available_at LIMIT 5) AS q),
            (SELECT string_agg(to_jsonb(c)::text, ' ') FROM credentials AS c))
        """

    /// Moves every job's next look to now, again and again, until there are so many dead letters.
    package func dead(_ count: Int) async throws {
        try await eventually("\(count) dead letters") {
            try await database.run(
                """
                UPDATE enrichment_queue SET available_at = now()
                WHERE leased_by IS NULL AND available_at > now() AND reason IS DISTINCT FROM 'not_ready'
                """)
            return try await database.count("SELECT count(*) FROM dead_letters") == count
        }
    }

    /// How many pages were asked for, which is how a credential is tried.
    package var pages: Int { world.requests.count(where: \.isList) }

    /// How many requests were refused.
    package func refusals(_ status: Int = 403) -> Int { world.requests.count { $0.status == status } }
}

/// What a token file holds, in memory.
package final class TokenFile: Sendable {
    private let content: Mutex<String>
    package init(_ token: String) { content = Mutex(token) }

    package var token: String {
        get { content.withLock(\.self) }
        set { content.withLock { $0 = newValue } }
    }
}

extension Simulator {
    /// Where it listens on loopback.
    package var port: UInt16 { UInt16(baseURL.split(separator: "/")[1].split(separator: ":")[1])! }
}
