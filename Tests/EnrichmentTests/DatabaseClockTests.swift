import Postgres
import Synchronization
import TestKit
import Testing

@testable import Enrichment

struct DatabaseClockTests {
    private func withClock(_ test: (DatabaseClock, RecordedLog) async throws -> Void) async throws {
        try await withTestDatabase { database in
            let session = Session(database.configuration().connection(role: "keep"))
            let log = RecordedLog()
            try await test(DatabaseClock(session: session, credentialName: "default", log: log.log) { _ in }, log)
            await session.close()
        }
    }

    /// What was read just now is not asked for again. On a busy machine it may be old by the time it is asked for.
    @Test func aFreshReadingServesAll() async throws {
        try await withClock { clock, _ in
            try await eventually("it serves") { try await clock.read() == clock.read() }
        }
    }

    /// With what a claim brought no pause comes to light: who sends asks anew, and never gets a time from before the claim.
    @Test func whatAClaimBroughtIsNotServed() async throws {
        try await withTestDatabase { database in
            try await database.run(
                """
                INSERT INTO credentials (name, request_rate, _limited_at, paused_until)
                VALUES ('default', 5, clock_timestamp(), clock_timestamp() + interval '1 hour')
                """)
            let session = Session(database.configuration().connection(role: "keep"))
            let pauses = Mutex(0)
            let clock = DatabaseClock(session: session, credentialName: "default", log: .none) { _ in
                pauses.withLock { $0 += 1 }
            }
            for round in 1...20 {
                let now = try #require(try await database.value("SELECT clock_timestamp()::text"))
                await clock.note(now, at: .now)
                #expect(try await clock.read() > now)
                #expect(pauses.withLock(\.self) >= round, "it would have sent into the pause")
            }
            await session.close()
        }
    }

    /// The clock of the server was set back a day, or another server took over: readings go on, and it is said once.
    @Test func aClockThatGoesBackStopsNobody() async throws {
        try await withClock { clock, log in
            await clock.note("2999-01-01 00:00:00.000000+00", at: .now - .seconds(1))
            let reading = try await clock.read()
            #expect(reading < "2999" && reading > "2026")
            #expect(log.records(of: .clockSkew).count == 1)
        }
    }

    /// A claim was on its way when a reading began: the reading is from before the claim and must not replace its time.
    @Test func aReadingIsNeverFromBeforeWhatWasNoted() async throws {
        try await withClock { clock, log in
            let sent = ContinuousClock.now
            await clock.note("2026-01-01 00:00:02+00", at: sent)
            await clock.note("2026-01-01 00:00:01.9+00", at: sent)
            #expect(log.records(of: .clockSkew).isEmpty)
        }
    }

    @Test func manyReadersShareOneStatement() async throws {
        try await withClock { clock, _ in
            let readings = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<100 { group.addTask { try await clock.read() } }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(readings.count < 50)
        }
    }
}
