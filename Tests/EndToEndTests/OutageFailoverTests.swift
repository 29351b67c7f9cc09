import Enrichment
import Postgres
import Simulator
import TestKit
import Testing

/// The primary is gone and its standby takes over. The connection string names both.
@Suite(.serialized) struct OutageFailoverTests {
    /// A synchronous standby loses nothing. An asynchronous one may; what it lost is counted, the rest is done.
    @Test(.timeLimit(.minutes(5)), arguments: [true, false])
    func theWorkerFollowsThePrimary(isSynchronous: Bool) async throws {
        let options = ["fsync = off", "wal_level = replica", "max_wal_senders = 4", "hot_standby = on"]
        try await PrivateCluster.run(options: options) { primary in
            try await Standby.run(of: primary) { standby in
                if isSynchronous {
                    try await primary.run("ALTER SYSTEM SET synchronous_standby_names = '*'")
                    try await primary.run("SELECT pg_reload_conf()")
                }
                try await eventually("it streams") {
                    try await primary.value("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "1"
                }
                let both = standby.conninfo(before: primary)
                // A job whose end is lost with the primary is the worker's again, which does not know of it: its lease has to end.
                try await OutageLab.run(
                    primary, conninfo: both, latency: .milliseconds(50), change: { $0.lease = .seconds(10) }
                ) { lab in
                    try await fail(over: lab, to: standby, isSynchronous)
                }
            }
        }
    }

    private func fail(over lab: OutageLab, to standby: Standby, _ isSynchronous: Bool) async throws {
        let listeners = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'engagement-worker listen'"
        try await eventually("it listens on the primary") { try await lab.cluster.value(listeners) == "1" }
        #expect(try await standby.value(listeners) == "0")
        try await lab.insert(0..<1_000)
        try await eventually("some are written") {
            try await lab.cluster.value("SELECT count(*) > 50 FROM engagements") == "t"
        }
        if !isSynchronous {
            // What ends from now on until the crash, the standby does not hear of.
            try await lab.cluster.run("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
            let written = try await lab.cluster.count("SELECT count(*) FROM engagements")
            try await eventually("some more are written") {
                try await lab.cluster.count("SELECT count(*) FROM engagements") > written
            }
        }
        try await lab.cluster.stop(.immediate)
        try await lab.waitForLoss(["restarting", "connection", "read_only"])
        try await standby.promote()
        // Resumed within 5 s, the listener, too.
        try await eventually(within: .seconds(5), "the worker is back") { !lab.log.records(of: .dbRestored).isEmpty }
        try await eventually(within: .seconds(5), "the listener is back") {
            try await standby.value(listeners) == "1"
        }
        do {
            try await eventually(within: .seconds(30), "the queue is empty") {
                try await standby.value(Stage.jobs) == "0"
            }
        } catch let error as TimedOut {
            let left = "SELECT string_agg(to_jsonb(q)::text, ' ') FROM (SELECT * FROM enrichment_queue LIMIT 5) AS q"
            throw TimedOut(description: "\(error.description), \(try await standby.value(left) ?? "")")
        }
        let kept = Int(try await standby.value("SELECT count(*) FROM engagements") ?? "") ?? 0
        print("lost with the primary: \(1_000 - kept) of 1000, synchronous \(isSynchronous)")
        // They were inserted well before: what is lost of them is the last instants' at most.
        #expect(kept >= (isSynchronous ? 1_000 : 900))
        #expect(try await standby.value("SELECT count(*) FROM dead_letters") == "0")
        #expect(lab.log.done(.retry).isEmpty)
        #expect(lab.log.records(of: .dbLost).count == 1)
        #expect(lab.log.records(of: .dbRestored).count == 1)
    }
}
