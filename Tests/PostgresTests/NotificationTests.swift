import Postgres
import TestKit
import Testing

/// Notifications, and the silence between them.
struct NotificationTests {
    /// Any name will do, quotes and capitals included.
    private let channel = "Test \"channel\" \(Int64.random(in: 0 ... .max))"
    private let notify = Statement(name: "notify", sql: "SELECT pg_notify($1::text, '')")

    private func withPair(
        _ conninfo: String = TestCluster.conninfo("postgres"), _ test: (Connection, Connection) async throws -> Void
    ) async throws {
        let (listener, sender) = (try await open(conninfo), try await open())
        try await listener.listen(channel: channel)
        try await test(listener, sender)
        await listener.close()
        await sender.close()
    }

    @Test func aNotificationArrives() async throws {
        try await withPair { listener, sender in
            var iterator = listener.notifications(probeInterval: .seconds(60)).makeAsyncIterator()
            for _ in 0..<3 {
                _ = try await sender.query(notify, [.text(channel)])
                #expect(try await iterator.next() != nil)
            }
        }
    }

    @Test func severalBecomeOne() async throws {
        try await withPair { listener, sender in
            for _ in 0..<5 { _ = try await sender.query(notify, [.text(channel)]) }
            // A statement of the listener brings in what was sent before it.
            _ = try await listener.query(one)
            #expect(try await listener.waitForNotifications(timeout: .seconds(30)).count == 5)
            #expect(try await listener.waitForNotifications(timeout: .zero).count == 0)
        }
    }

    @Test func whatComesDuringAStatementIsNotLost() async throws {
        try await withPair { listener, sender in
            async let slow = listener.query(Statement(name: "slow", sql: "SELECT pg_sleep(0.3)"))
            _ = try await sender.query(notify, [.text(channel)])
            _ = try await slow
            #expect(try await listener.waitForNotifications(timeout: .seconds(30)).count == 1)
        }
    }

    @Test func anotherChannelIsNotHeard() async throws {
        try await withPair { listener, sender in
            _ = try await sender.query(notify, [.text(channel + "x")])
            _ = try await listener.query(one)
            #expect(try await listener.waitForNotifications(timeout: .zero).count == 0)
        }
    }

    @Test func cancellationEndsTheSequenceAtOnce() async throws {
        try await withPair { listener, sender in
            let (heard, hear) = AsyncStream<Void>.makeStream()
            let listening = Task {
                var count = 0
                for try await _ in listener.notifications(probeInterval: .seconds(60)) {
                    count += 1
                    hear.yield()
                }
                return count
            }
            _ = try await sender.query(notify, [.text(channel)])
            for await _ in heard { break }
            let start = ContinuousClock.now
            listening.cancel()
            #expect(try await listening.value == 1)
            #expect(ContinuousClock.now - start < .seconds(5))
            // The connection is as good as before.
            #expect(try await listener.query(one).first?.integer("n") == 1)
        }
    }

    @Test func interruptEndsAWait() async throws {
        try await withPair { listener, _ in
            let start = ContinuousClock.now
            async let channels = listener.waitForNotifications(timeout: .seconds(60))
            listener.interrupt()
            let heard = try await channels
            #expect(heard.isEmpty)
            #expect(ContinuousClock.now - start < .seconds(5))
        }
    }

    @Test func anInterruptBeforeTheWaitEndsTheNextOneOnly() async throws {
        try await withPair { listener, sender in
            for _ in 0..<3 { listener.interrupt() }
            #expect(try await listener.waitForNotifications(timeout: .seconds(60)).count == 0)
            _ = try await sender.query(notify, [.text(channel)])
            #expect(try await listener.waitForNotifications(timeout: .seconds(60)).count == 1)
        }
    }

    @Test func aTerminatedListenerEndsTheSequenceWithALoss() async throws {
        try await withPair { listener, _ in
            let pid = try #require(try await listener.query(backend).first?.integer("pid"))
            let listening = Task {
                try await postgresError {
                    for try await _ in listener.notifications(probeInterval: .seconds(60)) {}
                }
            }
            try await kill(pid)
            guard case .lost? = try await listening.value else { return #expect(Bool(false), "no loss") }
        }
    }

    @Test func aProbeKeepsALivingListener() async throws {
        try await withPair { listener, sender in
            let pid = try #require(try await listener.query(backend).first?.integer("pid"))
            let listening = Task {
                var iterator = listener.notifications(probeInterval: .milliseconds(20)).makeAsyncIterator()
                return try await iterator.next() != nil
            }
            try await eventually("the listener was probed") {
                try await sender.query(probed, [.bigint(pid)]).first?.integer("n") == 1
            }
            _ = try await sender.query(notify, [.text(channel)])
            let heard = try await listening.value
            #expect(heard)
        }
    }

    private let probed = Statement(
        name: "probed",
        sql: """
            SELECT count(*) AS n FROM pg_stat_activity WHERE pid = $1::bigint AND state = 'idle' AND query = 'SELECT 1'
            """)
}
