import Simulator
import TestKit
import Testing

/// A listener that is lost, then one insert: nothing but the listener's return can bring it, since the poll is a minute away.
@Suite(.serialized) struct ListenerTests {
    private static func rounds(
        within limit: Duration, poll: String = "60s", _ lose: (Stage, FaultProxy) async throws -> Void
    ) async throws -> Durations {
        var taken = Durations()
        try await Stage.run { stage in
            let proxy = try FaultProxy(to: TestCluster.port)
            defer { proxy.stop() }
            let worker = try await stage.worker(
                ["--poll-interval", poll], ["DATABASE_URL": stage.database.conninfo(through: proxy)])
            for round in 1...size("TEST_ROUNDS", or: 1) {
                // It has stopped looking for more by then: at first a worker that is idle does so often.
                let asleep = "SELECT count(*) FROM workers WHERE idle_until < clock_timestamp() + interval '42 s'"
                try await stage.database.wait(for: asleep, toBe: "1")
                try await lose(stage, proxy)
                let start = ContinuousClock.now
                try await stage.insert([stage.world.id(round)])
                try await stage.database.wait(
                    for: "SELECT count(*) FROM engagements", toBe: String(round), within: limit)
                taken.add(.now - start)
                try await worker.waitFor("listen.restored", count: round)
                #expect(worker.records(of: "listen.lost").count == round)
            }
        }
        return taken
    }

    @Test func killed() async throws {
        let taken = try await Self.rounds(within: .seconds(2)) { stage, _ in
            let ended = """
                SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'engagement-worker listen'
                """
            let count = try await stage.database.count(ended)
            #expect(count == 1)
        }
        printFigure("listener killed, then one insert: \(taken)")
    }

    @Test func halfOpen() async throws {
        let taken = try await Self.rounds(within: .seconds(15)) { _, proxy in
            proxy.set(.blackhole, onConnectionsOpenedWith: "engagement-worker listen")
        }
        #expect(taken.median > .seconds(1), "the bell was heard")
        printFigure("listener half-open, then one insert: \(taken)")
    }

    /// Nobody rings, and the worker does not know yet: the poll finds it.
    @Test func halfOpenIsNoLaterThanThePoll() async throws {
        let taken = try await Self.rounds(within: .seconds(4), poll: "2s") { _, proxy in
            proxy.set(.blackhole, onConnectionsOpenedWith: "engagement-worker listen")
        }
        printFigure("listener half-open, a poll of 2 s, then one insert: \(taken)")
    }
}
