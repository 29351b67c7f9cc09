package import AskElephant
import Postgres
import SQLText

/// Compares the tables with what the list shows.
struct VerifyStore: Sendable {
    private static let slice: Int64 = 10_000

    let session: Session

    struct Stored: Sendable {
        var id: String
        var isPrivate: Bool
        var updatedAt: String?
    }

    /// The database's clock.
    func now() async throws(PostgresError) -> String {
        guard let row = try await session.query(Statements.clockRead, [.text("")]).first else {
            throw .unexpectedResult(column: "clock")
        }
        return try row.text("clock")
    }

    /// In what the tables differ from a page.
    func drift(_ entries: [EngagementPage.Entry], began: String) async throws(PostgresError) -> [Drift] {
        let rows = try await session.query(
            Statements.verifyPage,
            [.texts(entries.map(\.id.rawValue)), .texts(entries.map { $0.updatedAt?.text }), .text(began)])
        return try rows.map { row throws(PostgresError) in
            guard let cause = Drift.Cause(rawValue: try row.text("cause")) else {
                throw .unexpectedResult(column: "cause")
            }
            return Drift(
                id: try row.text("id"), cause: cause, listedAt: try row.textIfPresent("listed_at"),
                storedAt: try row.textIfPresent("stored_at"), state: try row.textIfPresent("state"))
        }
    }

    /// What is shown as readable, a slice after that id; empty at the end.
    func stored(
        after id: String, since: UpdateTime?, observedBefore time: String
    ) async throws(PostgresError) -> [Stored] {
        let rows = try await session.query(
            Statements.verifyStored, [.text(id), .textOrNull(since?.text), .text(time), .bigint(Self.slice)])
        return try rows.map { row throws(PostgresError) in
            Stored(
                id: try row.text("id"), isPrivate: try row.boolean("is_private"),
                updatedAt: try row.textIfPresent("stored_at"))
        }
    }

    /// Queues those that do not wait in the queue already; how many.
    func queue(_ drift: [Drift]) async throws(PostgresError) -> Int {
        let rows = try await session.query(Statements.verifyQueue, [.texts(drift.map(\.id))])
        return Int(try rows.first?.integer("n") ?? 0)
    }

    func note(_ found: Verification, since: UpdateTime?, began: String, queued: Int) async throws(PostgresError) {
        _ = try await session.query(
            Statements.verifyNote,
            [
                .textOrNull(since?.text), .text(began), .bigint(Int64(found.pages)), .bigint(Int64(found.listed)),
                .bigint(Int64(found.drift.count)), .bigint(Int64(queued)), .textOrNull(found.earliest?.text),
            ])
    }
}

/// One engagement in which the tables and the list differ.
package struct Drift: Sendable, Equatable {
    package enum Cause: String, Sendable, CaseIterable {
        /// It is listed, and there is no row.
        case missing
        /// It is listed with a later `updated_at`.
        case older
        /// It is listed with an earlier `updated_at`, though it was not fetched since: the source was restored, perhaps.
        case newer
        /// It is listed, and hidden here (`_unreadable_since`).
        case hidden
        /// It is listed, and deleted here (`_deleted_at`).
        case deleted
        /// It is here, and not listed: deleted at the source, or not to be listed by this credential any more.
        case unlisted
    }

    package var id: String
    package var cause: Cause
    package var listedAt: String?
    package var storedAt: String?
    /// `queued`, or `dead` with the dead letter's cause.
    package var state: String?
}

/// What a comparison found.
package struct Verification: Sendable {
    package var pages = 0
    package var listed = 0
    package var drift: [Drift] = []
    /// Private engagements that are here, of which this credential's list says nothing.
    package var unknown: [String] = []
    /// The earliest time of what is listed and not stored as it is.
    var earliest: UpdateTime?
}
