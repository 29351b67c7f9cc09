import Enrichment
import Foundation
import Simulator
import TestKit
import Testing

/// Hostile answers of the API, each among engagements that nobody may harm.
struct HostileLab {
    /// A word that each hostile document holds, and no log may.
    static let canary = "canaryword73"

    enum End: Equatable {
        case stored
        case dead(String)
    }

    /// One answer, how its job must end, and what must be found then: a query and its one value.
    struct Case: Sendable {
        let name: String
        var body: @Sendable (_ id: String) -> [UInt8]
        var end = End.stored
        var query: String?
        var value: String?

        /// What the document of a test would be, with some members replaced.
        init(
            _ name: String, _ changes: [String: String?], end: End = .stored, _ query: String? = nil,
            _ value: String? = nil
        ) {
            self.init(name, end: end, query, value) { id in
                Array(TruthDocument(id, title: canary).with(changes).json.utf8)
            }
        }

        init(
            _ name: String, end: End = .stored, _ query: String? = nil, _ value: String? = nil,
            body: @escaping @Sendable (String) -> [UInt8]
        ) {
            self.name = name
            self.body = body
            self.end = end
            self.query = query
            self.value = value
        }
    }

    /// All cases together in one INSERT with 99 healthy engagements, through a worker.
    ///
    /// - Parameter refused: ids that are none, inserted beside them.
    static func run(
        _ cases: [Case], refusing refused: [String] = [], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await TruthLab.run(change: TruthLab.quickRetries) { lab in
            let ids = cases.indices.map { "ngmt_Hostile\($0)" }
            for (id, one) in zip(ids, cases) { lab.world.override(id, .bytes(one.body(id))) }
            let neighbours = (0..<99).map { lab.world.id($0) }
            for id in refused { try await lab.database.insert(id.replacing("'", with: "''")) }
            try await lab.enrich(neighbours + ids)
            for (id, one) in zip(ids, cases) {
                try await check(one, id, lab.database, sourceLocation)
            }
            // Nothing of an answer that is no good is anywhere, under whatever name.
            let stored = 99 + cases.count { $0.end == .stored }
            #expect(
                try await lab.database.count("SELECT count(*) FROM engagements") == stored,
                sourceLocation: sourceLocation)
            #expect(try await lab.database.value(unshown) == "", sourceLocation: sourceLocation)
            try await checkRefused(refused, lab, sourceLocation)
            let comparison = TruthComparison(neighbours.map { lab.world.truth($0) }, beside: .others)
            #expect(try await comparison.differences(in: lab.database) == [], sourceLocation: sourceLocation)
            try expectSilence(sourceLocation)
            #expect(!lab.worker.log.records.contains { "\($0)".contains(canary) }, sourceLocation: sourceLocation)
            let errors = "SELECT count(*) FROM dead_letters WHERE error LIKE '%\(canary)%'"
            #expect(try await lab.database.count(errors) == 0, sourceLocation: sourceLocation)
        }
    }

    /// Entities that no stored engagement shows. An owner without an id that can be one has a digest for it, while its engagement may
    /// name its owner by another.
    private static let unshown = """
        SELECT coalesce(string_agg(e.id, ' '), '') FROM (
            SELECT id FROM contacts WHERE id NOT IN (SELECT contact_id FROM engagement_contacts)
            UNION ALL SELECT id FROM companies WHERE id NOT IN (SELECT company_id FROM engagement_companies)
            UNION ALL SELECT id FROM tags WHERE id NOT IN (SELECT tag_id FROM engagement_tags)
            UNION ALL SELECT id FROM users WHERE left(id, 7) <> 'digest_' AND id NOT IN (
                SELECT owner_user_id FROM engagements WHERE owner_user_id IS NOT NULL)) AS e
        """

    /// Each of them is a dead letter, nothing was asked for it, and each job has exactly one line of its own.
    private static func checkRefused(
        _ refused: [String], _ lab: TruthLab, _ sourceLocation: SourceLocation
    ) async throws {
        let letters = "SELECT count(*) FROM dead_letters WHERE cause = 'invalid_id'"
        #expect(try await lab.database.count(letters) == refused.count, sourceLocation: sourceLocation)
        #expect(
            lab.world.requests.allSatisfy { $0.id.map { !refused.contains($0) } ?? true },
            sourceLocation: sourceLocation)
        let dead = lab.worker.log.done(.dead).filter { $0.fields[.cause] == .string("invalid_id") }
        #expect(dead.count == refused.count, sourceLocation: sourceLocation)
    }

    private static func check(
        _ one: Case, _ id: String, _ database: TestDatabase, _ sourceLocation: SourceLocation
    ) async throws {
        let stored = try await database.count("SELECT count(*) FROM engagements WHERE id = '\(id)'")
        let cause = try await database.value("SELECT cause FROM dead_letters WHERE key = '\(id)'")
        let end: End = cause.map { .dead($0) } ?? .stored
        #expect(end == one.end, "\(one.name)", sourceLocation: sourceLocation)
        #expect(stored == (one.end == .stored ? 1 : 0), "\(one.name)", sourceLocation: sourceLocation)
        guard let query = one.query else { return }
        let value: String?
        do {
            value = try await database.value(query.replacing("$id", with: "'\(id)'"))
        } catch {
            _ = Issue.record("\(one.name): \(error)", sourceLocation: sourceLocation)
            return
        }
        #expect(value == one.value, "\(one.name)", sourceLocation: sourceLocation)
    }

    /// The server's log quotes nothing of a hostile document. Only where this run has a cluster of its own.
    static func expectSilence(_ sourceLocation: SourceLocation = #_sourceLocation) throws {
        let path = TestCluster.folder + "/cluster/server.log"
        guard FileManager.default.fileExists(atPath: path) else { return }
        let log = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(log.range(of: Data(canary.utf8)) == nil, sourceLocation: sourceLocation)
    }
}
