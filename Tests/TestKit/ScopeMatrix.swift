import AskElephant
package import Enrichment
package import Postgres
package import Simulator

/// Plays cases of ``ScopeCase`` one after the other, each with a token, a credential name and a worker of its own, on
/// tables that were emptied before.
package struct ScopeMatrix: Sendable {
    package let simulator: Simulator
    private let configuration: Database.Configuration
    private let sql: @Sendable (String) async throws -> [Row]

    package var world: World { simulator.world }

    package init(
        _ configuration: Database.Configuration, _ simulator: Simulator,
        sql: @escaping @Sendable (String) async throws -> [Row]
    ) {
        self.configuration = configuration
        self.simulator = simulator
        self.sql = sql
    }

    /// A case that has ended: all jobs too, other than looks at what is not ready.
    package struct Played: Sendable {
        package let one: ScopeCase
        package let token: String
        package let ids: [String]
        package let log: RecordedLog
        package let requests: [JournalEntry]

        package var hidden: [String] { one.hidden.sorted().map { ids[$0] } }
        package var readable: [String] { ids.indices.filter { !one.hidden.contains($0) }.map { ids[$0] } }
    }

    package static func token(_ number: Int) -> String { "sk-apik_matrix\(number).hushhush\(number)" }

    package func play(_ one: ScopeCase, _ number: Int) async throws -> Played {
        try await run(
            """
            TRUNCATE enrichment_queue, dead_letters, engagements, contacts, companies, users, tags, crm_associations,
                scope_denials, scope_grants, credentials CASCADE
            """)
        world.clearJournal()
        world.setSwitches { one.set(&$0) }
        let token = Self.token(number)
        world.setToken(token, scopes: one.scopes)
        let ids = (0..<ScopeCase.engagements).map { world.id(number * 100 + $0) }
        for index in one.privates { world.setPrivate(ids[index]) }
        let rows = ids.map { "('\($0)')" }.joined(separator: ",")
        try await run("INSERT INTO enrichment_queue (engagement_id) VALUES \(rows)")
        let worker = try await TestWorker(
            configuration, simulator, credentials: CredentialSource { Secret(token) }
        ) { configuration in
            configuration.credentialName = "case-\(number)"
            configuration.pollInterval = .milliseconds(20)
        }
        do {
            try await ended(one)
        } catch {
            try await worker.stop()
            throw error
        }
        try await worker.stop()
        return Played(one: one, token: token, ids: ids, log: worker.log, requests: world.requests)
    }

    /// The one text column of the rows, sorted.
    package func texts(_ query: String) async throws -> [String] {
        try await sql(query).map { row in try row.text(named: row.columnNames[0]) ?? "NULL" }.sorted()
    }

    /// Of a query with an id and a number.
    package func counts(_ query: String) async throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for row in try await sql(query) {
            counts[try row.text(named: row.columnNames[0]) ?? "NULL"] = Int(
                try row.text(named: row.columnNames[1]) ?? "")
        }
        return counts
    }

    @discardableResult
    package func run(_ script: String) async throws -> [Row] { try await sql(script) }

    /// Waits until no job is left, and moves the next look of those that wait.
    private func ended(_ one: ScopeCase) async throws {
        try await eventually(within: .seconds(20), "\(one)") {
            try await run(
                """
                UPDATE enrichment_queue SET available_at = now()
                WHERE leased_by IS NULL AND available_at > now() AND reason IS DISTINCT FROM 'not_ready'
                """)
            let left = "SELECT count(*)::text FROM enrichment_queue WHERE reason IS DISTINCT FROM 'not_ready'"
            return try await texts(left) == ["0"]
        }
    }
}
