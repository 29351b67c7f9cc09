package import AskElephant
package import Postgres
import SQLText

/// What is to be purged.
package enum PurgeTarget: Sendable, Hashable {
    case engagement(EngagementID)
    /// A contact's id.
    case contact(String)
    /// An e-mail address, in any case.
    case email(String)

    /// As `suppressions.kind` has it.
    package var kind: String {
        switch self {
        case .engagement: "engagement"
        case .contact: "contact"
        case .email: "email"
        }
    }

    package var value: String {
        switch self {
        case .engagement(let id): id.rawValue
        case .contact(let value), .email(let value): value
        }
    }
}

/// Deletes what is to leave no trace. What stays is a keyed hash, by which it is known again.
///
/// What is to be done stands in a table from the first step on, so a purge may be broken off at any point, and the next one
/// ends it.
package struct PurgeStore: Sendable {
    private struct Needle {
        var kind: String
        var value: String
        /// The key of what was named.
        var with: String
    }

    private let session: Session

    package init(session: Session) { self.session = session }

    /// From here on nothing of it is written again.
    package func suppress(_ target: PurgeTarget) async throws(PostgresError) {
        try await suppress([(target.kind, target.value)], with: nil)
    }

    /// Deletes the rows of all that was suppressed, and of the persons that are found by it.
    ///
    /// - Returns: the deleted rows by table.
    package func deleteRows() async throws(PostgresError) -> [String: Int] {
        for needle in try await needles() where needle.kind == "contact" || needle.kind == "email" {
            let isContact = needle.kind == "contact"
            let who = try await session.query(
                Statements.purgeWho,
                [.textOrNull(isContact ? needle.value : nil), .textOrNull(isContact ? nil : needle.value)]
            ).map { row throws(PostgresError) in (kind: try row.text("kind"), value: try row.text("value")) }
            try await suppress(who, with: needle.with)
        }
        let all = try await needles()
        let of = { kind in all.filter { $0.kind == kind }.map(\.value) }
        var rows = try await patiently(Statements.purgePersons, [.texts(of("contact")), .texts(of("user"))])
        for engagement in of("engagement") {
            rows += try await patiently(Statements.purgeEngagement, [.text(engagement)])
        }
        var counts: [String: Int] = [:]
        for row in rows { counts[try row.text("kind"), default: 0] += Int(try row.integer("n")) }
        return counts
    }

    /// What a purge of these would delete, by table; nothing is.
    package func rehearse(_ targets: [PurgeTarget]) async throws(PostgresError) -> [String: Int] {
        let rows = try await patiently(
            Statements.purgeRehearse, [.texts(targets.map(\.kind)), .texts(targets.map(\.value))])
        var counts: [String: Int] = [:]
        for row in rows { counts[try row.text("kind")] = Int(try row.integer("n")) }
        return counts
    }

    /// Takes purged ids and addresses out of all other rows.
    ///
    /// - Parameter progress: called with each table before it is read; with `isOurs` false it is not: somebody else made it.
    /// - Returns: how many rows had one.
    package func redact(progress: (_ table: String, _ isOurs: Bool) -> Void) async throws(PostgresError) -> Int {
        let needles = try await needles()
        var count = 0
        for table in try await session.query(Statements.purgeTables) {
            let relation = try table.text("relation")
            let isOurs = try table.boolean("is_ours")
            progress(relation, isOurs)
            guard isOurs else { continue }
            var next: String?
            repeat {
                let slice = try await patiently(
                    Statements.purgeRedact,
                    [.text(relation), .textOrNull(next), .bigint(try table.integer("most"))])
                count += Int(try slice.first?.integer("n") ?? 0)
                next = try slice.first?.textIfPresent("last")
            } while next != nil
        }
        _ = try await session.query(
            Statements.purgeEnd, [.texts(needles.map(\.kind)), .texts(needles.map(\.value))])
        return count
    }

    /// Removes the hashes of what was named, and of what was purged with it: from then on it may be stored again.
    package func forget(_ targets: [PurgeTarget]) async throws(PostgresError) {
        _ = try await session.query(
            Statements.purgeForget, [.texts(targets.map(\.kind)), .texts(targets.map(\.value))])
    }

    /// What stands for the engagement in `engagement_changes`.
    package func key(_ id: EngagementID) async throws(PostgresError) -> String {
        guard let row = try await session.query(Statements.purgeKey, [.text(id.rawValue)]).first else {
            throw .unexpectedResult(column: "key")
        }
        return try row.text("key")
    }

    /// Whether it was purged.
    package func isPurged(_ id: EngagementID) async throws(PostgresError) -> Bool {
        try await session.query(Statements.purgeCheck, [.text(id.rawValue)]).first?.boolean("is_purged") ?? false
    }

    private func needles() async throws(PostgresError) -> [Needle] {
        try await session.query(Statements.purgeNeedles).map { row throws(PostgresError) in
            Needle(kind: try row.text("kind"), value: try row.text("needle"), with: try row.text("_with"))
        }
    }

    private func suppress(_ what: [(kind: String, value: String)], with key: String?) async throws(PostgresError) {
        guard !what.isEmpty else { return }
        _ = try await patiently(
            Statements.purgeSuppress, [.texts(what.map(\.kind)), .texts(what.map(\.value)), .textOrNull(key)])
    }

    /// A row or table that somebody has locked is waited for, for minutes, while the workers go on in between.
    private func patiently(_ statement: Statement, _ parameters: [Parameter]) async throws(PostgresError) -> [Row] {
        var triesLeft = 30
        while true {
            do throws(PostgresError) {
                return try await session.query(statement, parameters)
            } catch {
                triesLeft -= 1
                guard error.sqlState == .lockNotAvailable || error.sqlState?.isRetriedAtOnce == true, triesLeft > 0
                else {
                    throw error
                }
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }
}
