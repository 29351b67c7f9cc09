package import AskElephant
package import Postgres
import SQLText

/// Webhooks in Postgres. A statement that is given up may still be carried out: the sender's next delivery finds that.
package struct EventStore: Sendable {
    private let session: Patient

    package init(session: Session) { self.session = Patient(session) }

    /// Takes events, each with what follows from it, in one transaction; the ids of the messages that are new.
    package func receive(_ events: [WebhookEvent]) async throws(PostgresError) -> Set<String> {
        let rows = try await session.query(
            Statements.eventReceive,
            [
                .texts(events.map(\.messageID)), .texts(events.map(\.eventID)), .texts(events.map(\.type)),
                .texts(events.map(\.workspaceID)), .texts(events.map(\.objectID)), .texts(events.map(\.createdAt)),
                .texts(events.map(\.effect.rawValue)),
            ])
        return Set(try rows.map { row throws(PostgresError) in try row.text("message") })
    }

    /// Forgets those that were taken longer ago, in slices.
    package func prune(olderThan age: Duration) async throws(PostgresError) {
        let slice: Int64 = 1_000
        while !Task.isCancelled {
            let rows = try await session.query(Statements.eventPrune, [.double(age / .seconds(1)), .bigint(slice)])
            guard try rows.first?.integer("n") == slice else { return }
        }
    }
}
