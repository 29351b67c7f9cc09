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

    /// Of what ``PurgeStore/purge(_:)`` returned to be looked for.
    package static func kind(of needle: String) -> String {
        if needle.contains("@") { return "email" }
        return EngagementID(needle) == nil ? "contact" : "engagement"
    }

    package var value: String {
        switch self {
        case .engagement(let id): id.rawValue
        case .contact(let value), .email(let value): value
        }
    }
}

/// Deletes what is to leave no trace. What stays is a keyed hash, by which it is known again.
package struct PurgeStore: Sendable {
    /// Blocks of a table that are looked through at a time: 4 MB and what is stored beside them.
    private static let blocks = 500

    package struct Purged: Sendable {
        /// Deleted rows by table.
        package var counts: [(table: String, count: Int)] = []
        /// What may stand in other rows: ids and addresses.
        package var needles: [String] = []
    }

    private let session: Session

    package init(session: Session) { self.session = session }

    /// Deletes it in one transaction, and keeps its hash.
    package func purge(_ target: PurgeTarget) async throws(PostgresError) -> Purged {
        let rows: [Row]
        switch target {
        case .engagement(let id):
            rows = try await session.query(Statements.purgeEngagement, [.text(id.rawValue)])
        case .contact(let id):
            rows = try await session.query(Statements.purgePerson, [.text(id), .textOrNull(nil)])
        case .email(let address):
            rows = try await session.query(Statements.purgePerson, [.textOrNull(nil), .text(address)])
        }
        var purged = Purged()
        if case .engagement = target { purged.needles = [target.value] }
        for row in rows {
            if case .engagement = target {
                purged.counts.append((try row.text("kind"), Int(try row.integer("n"))))
            } else if let needle = try row.textIfPresent("needle") {
                purged.needles.append(needle)
            } else {
                purged.counts.append((try row.text("kind"), Int(try row.integer("n"))))
            }
        }
        return purged
    }

    /// Takes ids and addresses out of all other rows, table by table in slices; how many had one.
    package func redact(_ needles: [String]) async throws(PostgresError) -> Int {
        var count = 0
        for table in try await session.query(Statements.purgeTables) {
            let relation = try table.text("relation")
            let blocks = Int(try table.integer("blocks"))
            for first in stride(from: 0, to: blocks, by: Self.blocks) {
                let rows = try await session.query(
                    Statements.purgeRedact,
                    [.text(relation), .bigint(Int64(first)), .bigint(Int64(Self.blocks)), .texts(needles)])
                count += Int(try rows.first?.integer("n") ?? 0)
            }
        }
        return count
    }

    /// Removes the hashes: from then on it may be stored again.
    package func forget(_ targets: [(kind: String, value: String)]) async throws(PostgresError) {
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
}
