import AskElephant
import Enrichment
import Postgres
import Simulator
import TestKit
import Testing

/// A worker that waits for the database before it is ready says so in its heartbeats.
struct WaitingStartTests {
    @Test func heartbeatsTellWhatItWaitsFor() async throws {
        try await withTestDatabase { database in
            var configuration = Worker.Configuration(
                database: database.configuration(),
                client: Client.Configuration(
                    baseURL: try BaseURL("http://127.0.0.1:9/api"), userAgent: "engagement-worker/test"))
            configuration.heartbeatInterval = .milliseconds(50)
            configuration.noteInterval = .milliseconds(50)
            let log = RecordedLog()
            let worker = Worker(
                configuration, credentials: CredentialSource { Secret(Simulator.demoToken) }, log: log.log)
            let person = try await database.connect()
            try await person.run(script: "BEGIN; LOCK TABLE workers", name: "lock")
            let start = Task { try await worker.prepare() }
            try await eventually("heartbeats") { log.records(of: .workerHeartbeat).count >= 2 }
            for beat in log.records(of: .workerHeartbeat) {
                #expect(beat.fields[.verdict] == .string("blocked"))
                #expect(
                    beat.fields[.why]
                        == .string(
                            "the database does not serve: locked; end whatever locks our tables: pg_locks shows its pid"
                        ))
            }
            #expect(worker.reading.beat?.verdict == .blocked)
            await person.close()
            try await start.value
            #expect(log.records(of: .dbLost).count == 1)
            #expect(try await database.count("SELECT count(*) FROM workers") == 1)
            #expect(!worker.reading.hasBegun)
            try await eventually("who is ready tells for itself") { worker.reading.age > .milliseconds(500) }
        }
    }
}
