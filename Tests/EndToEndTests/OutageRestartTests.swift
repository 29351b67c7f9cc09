import Enrichment
import Postgres
import Simulator
import TestKit
import Testing

/// Servers and connections that go away and come back.
@Suite(.serialized) struct OutageRestartTests {
    @Test(arguments: [PrivateCluster.StopMode.fast, .immediate])
    func aRestartUnderLoadIsOneOutage(_ mode: PrivateCluster.StopMode) async throws {
        try await PrivateCluster.run { cluster in
            try await OutageLab.run(cluster, latency: .milliseconds(50)) { lab in
                try await lab.insert(0..<1_500)
                try await eventually("some are written") {
                    try await cluster.value("SELECT count(*) > 50 FROM engagements") == "t"
                }
                try await cluster.stop(mode)
                try await lab.waitForLoss(["restarting", "connection"])
                try await cluster.start()
                let left = Int(try await cluster.value(Stage.jobs) ?? "") ?? 0
                #expect(left > 0, "nothing was left to do")
                try await eventually(within: .seconds(3), "it works again") {
                    Int(try await cluster.value(Stage.jobs) ?? "") ?? 0 < left
                }
                try await lab.expectRecovery(engagements: 1_500)
            }
        }
    }

    /// Also those that nobody uses at the time, and that would be found broken one after the other.
    @Test func allConnectionsThatBreakAtOnceAreOneOutage() async throws {
        try await PrivateCluster.run { cluster in
            try await OutageLab.run(cluster) { lab in
                try await lab.insert(0..<400)
                let writers =
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'engagement-worker write-%'"
                try await eventually("both writers are connected, the queue is empty") {
                    let isIdle = try await cluster.value(Stage.jobs) == "0"
                    return try await cluster.value(writers) == "2" && isIdle
                }
                let ended = try await cluster.value(
                    """
                    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                    WHERE application_name LIKE 'engagement-worker %'
                    """)
                #expect(Int(ended ?? "") ?? 0 >= 5)
                try await eventually("db.restored") { lab.log.records(of: .dbRestored).count == 1 }
                // New batches for both writers.
                try await lab.insert(400..<800)
                try await lab.expectRecovery(engagements: 800)
            }
        }
    }

    /// One backend after the other, as an impatient administrator would.
    @Test func terminatedBackendsCostNothing() async throws {
        var generator = SeededRandom(seed: TruthSeed.draw("terminatedBackendsCostNothing"))
        try await PrivateCluster.run { cluster in
            try await OutageLab.run(cluster, latency: .milliseconds(100)) { lab in
                try await lab.insert(0..<3_000)
                var kills = 0
                for _ in 0..<6 {
                    let pids = try await cluster.value(
                        """
                        SELECT string_agg(pid::text, ',' ORDER BY pid) FROM pg_stat_activity
                        WHERE application_name LIKE 'engagement-worker %' AND application_name <> 'engagement-worker listen'
                        """)
                    let pid = try #require(pids?.split(separator: ",").randomElement(using: &generator))
                    if try await cluster.value("SELECT pg_terminate_backend(\(pid))") == "t" { kills += 1 }
                    try await lab.log.beats(10)
                }
                #expect(kills >= 5)
                try await eventually(within: .seconds(60), "the queue is empty") {
                    try await cluster.value(Stage.jobs) == "0"
                }
                try await lab.expectNothingCharged()
                #expect(try await cluster.value("SELECT count(*) FROM engagements") == "3000")
                let lost = lab.log.records(of: .dbLost).count
                #expect((1...kills).contains(lost))
                try await eventually("each end is told") { lab.log.records(of: .dbRestored).count == lost }
            }
        }
    }

    /// What was sent to the server gets no answer, and the connection stays as it is.
    @Test func aSilentConnectionIsGivenUpWithinFifteenSeconds() async throws {
        try await PrivateCluster.run { cluster in
            let proxy = try FaultProxy(to: UInt16(cluster.port)!)
            let through = "host=127.0.0.1 port=\(proxy.port) user=postgres dbname=postgres"
            try await OutageLab.run(cluster, conninfo: through, latency: .milliseconds(20)) { lab in
                try await lab.insert(0..<2_000)
                try await eventually("some are written") {
                    try await cluster.value("SELECT count(*) > 50 FROM engagements") == "t"
                }
                proxy.set(.blackhole, onConnectionsOpenedWith: "engagement-worker write")
                try await eventually("something is sent") { proxy.injected(.blackhole) > 0 }
                try await eventually(within: .seconds(16), "db.lost") { !lab.log.records(of: .dbLost).isEmpty }
                let role = lab.log.records(of: .dbLost)[0].fields[.role]
                #expect(role == .string("write-1") || role == .string("write-2"))
                proxy.reset()
                proxy.set(.none)
                try await eventually(within: .seconds(60), "the queue is empty") {
                    try await cluster.value(Stage.jobs) == "0"
                }
                try await lab.expectNothingCharged()
                #expect(try await cluster.value("SELECT count(*) FROM engagements") == "2000")
            }
            proxy.stop()
        }
    }
}
