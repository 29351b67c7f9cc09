import AskElephant
import Enrichment
import Postgres

/// Where requests meet the database: events that come while others are written are written together.
actor Intake {
    enum Outcome: Sendable {
        case stored
        /// It was taken before.
        case repeated
        /// Nothing is known to be stored: to be delivered again.
        case unavailable
    }

    private static let largestBatch = 100

    private let store: EventStore
    private let health: DatabaseHealth
    private var waiting: [(event: WebhookEvent, reply: CheckedContinuation<Outcome, Never>)] = []
    private var isWriting = false

    init(store: EventStore, health: DatabaseHealth) {
        self.store = store
        self.health = health
    }

    /// Returns after the commit.
    func take(_ event: WebhookEvent) async -> Outcome {
        await withCheckedContinuation { reply in
            waiting.append((event, reply))
            guard !isWriting else { return }
            isWriting = true
            Task { await write() }
        }
    }

    private func write() async {
        while !waiting.isEmpty {
            let batch = Array(waiting.prefix(Self.largestBatch))
            waiting.removeFirst(batch.count)
            let outcomes = await outcomes(of: batch.map(\.event))
            for (one, outcome) in zip(batch, outcomes) { one.reply.resume(returning: outcome) }
        }
        isWriting = false
    }

    private func outcomes(of events: [WebhookEvent]) async -> [Outcome] {
        do throws(PostgresError) {
            var new = try await receive(events)
            health.restored(role: Receiver.role)
            // The same message twice in one batch is new once.
            return events.map { new.remove($0.messageID) == nil ? .repeated : .stored }
        } catch {
            // Somebody's trigger or constraint may refuse one of them: that is not the others' matter.
            if case .server = error, !error.isOutage, events.count > 1 {
                var outcomes: [Outcome] = []
                for event in events { outcomes += await self.outcomes(of: [event]) }
                return outcomes
            }
            if case .server = error, !error.isOutage {} else { health.lost(error, role: Receiver.role) }
            return events.map { _ in .unavailable }
        }
    }

    /// Two receivers that take the same events in another order may stand in each other's way: one of them tries again.
    private func receive(_ events: [WebhookEvent]) async throws(PostgresError) -> Set<String> {
        do throws(PostgresError) { return try await store.receive(events) } catch {
            guard error.sqlState?.isRetriedAtOnce == true else { throw error }
            return try await store.receive(events)
        }
    }
}
