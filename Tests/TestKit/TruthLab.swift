package import Enrichment
package import Simulator

/// A database, a simulated API and a worker between them, for one test; all gone at its end, however it ends.
package struct TruthLab: Sendable {
    package let database: TestDatabase
    package let simulator: Simulator
    package let worker: TestWorker

    package var world: World { simulator.world }

    package static func run(
        seed: UInt64 = 1, settings: SimulatorSettings = SimulatorSettings(),
        change: (inout Worker.Configuration) -> Void = { _ in }, _ body: (TruthLab) async throws -> Void
    ) async throws {
        let database = try await TestDatabase()
        let simulator = Simulator(seed: seed, settings: settings)
        do {
            try await simulator.start()
            let lab = TruthLab(
                database: database, simulator: simulator,
                worker: try await TestWorker(database, simulator, change: change)
            )
            do {
                try await body(lab)
            } catch {
                _ = try? await lab.worker.stop()
                throw error
            }
            try await lab.worker.stop()
        } catch {
            await simulator.stop()
            await database.drop()
            throw error
        }
        await simulator.stop()
        await database.drop()
    }

    /// For `change` in ``run(seed:settings:change:_:)``: what fails is tried again soon, at most three times in all.
    package static func quickRetries(_ configuration: inout Worker.Configuration) {
        configuration.backoff.base = .milliseconds(50)
        configuration.maxAttempts = 3
    }

    /// Queues the ids in one statement.
    package func enqueue(_ ids: [String], reason: String = "test") async throws {
        let rows = ids.map { "('\($0)', '\(reason)')" }.joined(separator: ",")
        try await database.run("INSERT INTO enrichment_queue (engagement_id, reason) VALUES " + rows)
    }

    /// Waits until every job has ended, other than the worker's own looks at what is not ready.
    package func settled(within limit: Duration = .seconds(60)) async throws {
        try await database.wait(
            for: "SELECT count(*) FROM enrichment_queue WHERE reason IS DISTINCT FROM 'not_ready'", toBe: "0",
            within: limit
        )
    }

    package func enrich(_ ids: [String], reason: String = "test", within limit: Duration = .seconds(60)) async throws {
        try await enqueue(ids, reason: reason)
        try await settled(within: limit)
    }

    /// Lets the API answer with these documents and enriches their engagements.
    package func enrich(_ documents: TruthDocument..., reason: String = "test") async throws {
        for document in documents { answer(document) }
        try await enrich(documents.map(\.id), reason: reason)
    }

    package func answer(_ document: TruthDocument) {
        world.override(document.id, .json(document.json))
    }

    /// How the jobs with this reason ended, and how often each way; waits until the number of lines is right.
    package func outcomes(of reason: String, count: Int) async throws -> [String: Int] {
        func ended() -> [LogRecord] {
            worker.log.records(of: .jobDone).filter { $0.fields[.reason] == .string(reason) }
        }
        try await eventually("\(count) lines of jobs with reason \(reason)") { ended().count >= count }
        return ended().reduce(into: [:]) { counts, record in
            if case .string(let outcome) = record.fields[.outcome] { counts[outcome, default: 0] += 1 }
        }
    }
}
