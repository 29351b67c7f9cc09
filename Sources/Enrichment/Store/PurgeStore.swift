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
/// Each step is a transaction, and the whole may be broken off and done again: first nothing of it is written any more, then
/// what is stored goes, then it is taken out of all other rows (``redact(progress:)``).
package struct PurgeStore: Sendable {
    private let session: Session

    package init(session: Session) { self.session = session }

    /// Deletes its rows, and sees to it that they do not come back.
    ///
    /// - Returns: the deleted rows by table.
    package func purge(_ target: PurgeTarget) async throws(PostgresError) -> [(table: String, count: Int)] {
        try await suppress([(target.kind, target.value)], with: target)
        let rows: [Row]
        switch target {
        case .engagement(let id):
            rows = try await patiently(Statements.purgeEngagement, [.text(id.rawValue)])
        case .contact, .email:
            let isContact = target.kind == "contact"
            let who = try await session.query(
                Statements.purgeWho,
                [.textOrNull(isContact ? target.value : nil), .textOrNull(isContact ? nil : target.value)]
            ).map { row throws(PostgresError) in (kind: try row.text("kind"), value: try row.text("value")) }
            try await suppress(who, with: target)
            let ids = { kind in who.filter { $0.kind == kind }.map(\.value) }
            rows = try await patiently(Statements.purgePersons, [.texts(ids("contact")), .texts(ids("user"))])
        }
        return try rows.map { row throws(PostgresError) in (try row.text("kind"), Int(try row.integer("n"))) }
    }

    /// Takes purged ids and addresses out of all other rows, also those of a purge that was broken off.
    ///
    /// - Parameter progress: called with each table before it is read.
    /// - Returns: how many rows had one.
    package func redact(progress: (String) -> Void) async throws(PostgresError) -> Int {
        let needles = try await session.query(Statements.purgeNeedles).map { row throws(PostgresError) in
            try row.text("needle")
        }
        var count = 0
        for table in try await session.query(Statements.purgeTables) {
            let relation = try table.text("relation")
            progress(relation)
            var next: String?
            repeat {
                let slice = try await patiently(
                    Statements.purgeRedact,
                    [.text(relation), .textOrNull(next), .bigint(try table.integer("most"))])
                count += Int(try slice.first?.integer("n") ?? 0)
                next = try slice.first?.textIfPresent("last")
            } while next != nil
        }
        _ = try await session.query(Statements.purgeEnd, [.texts(needles)])
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

    private func suppress(
        _ what: [(kind: String, value: String)], with target: PurgeTarget
    ) async throws(PostgresError) {
        _ = try await patiently(
            Statements.purgeSuppress,
            [.texts(what.map(\.kind)), .texts(what.map(\.value)), .text(target.kind), .text(target.value)])
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
