import AskElephant
import Enrichment
import Postgres
import Simulator
import TestKit
import Testing

/// A server that is there and does not serve.
@Suite(.serialized) struct OutageRefusalTests {
    @Test func aReadOnlyServerIsWaitedOut() async throws {
        try await PrivateCluster.run { cluster in
            try await OutageLab.run(cluster) { lab in
                try await cluster.run("ALTER SYSTEM SET default_transaction_read_only = on")
                try await cluster.run("SELECT pg_reload_conf()")
                try await lab.waitForLoss(["read_only"])
                try await cluster.run("BEGIN READ WRITE; " + OutageLab.insertion(lab.simulator, 0..<100) + "; COMMIT")
                try await lab.log.beats(10)
                #expect(try await cluster.value("SELECT count(*) FROM engagements") == "0")
                try await cluster.run("ALTER SYSTEM RESET default_transaction_read_only")
                try await cluster.run("SELECT pg_reload_conf()")
                try await lab.expectRecovery(engagements: 100)
            }
        }
    }

    /// The same with answers in hand that cannot be written: they are written when it takes them, and nothing is asked twice.
    @Test func whatIsInHandWaitsForAReadOnlyServer() async throws {
        try await PrivateCluster.run { cluster in
            try await OutageLab.run(cluster) { lab in
                let ids = (0..<20).map { lab.simulator.world.id($0) }
                for id in ids { lab.simulator.world.hold(id) }
                try await lab.insert(0..<20)
                for id in ids { try await lab.simulator.world.waitForRequest(id) }
                try await cluster.run("ALTER SYSTEM SET default_transaction_read_only = on")
                try await cluster.run("SELECT pg_reload_conf()")
                try await eventually("the server has read its configuration") {
                    try await cluster.value("SHOW default_transaction_read_only") == "on"
                }
                for id in ids { lab.simulator.world.releaseHold(id) }
                try await lab.waitForLoss(["read_only"])
                #expect(try await cluster.value("SELECT count(*) FROM engagements") == "0")
                try await cluster.run("ALTER SYSTEM RESET default_transaction_read_only")
                try await cluster.run("SELECT pg_reload_conf()")
                try await lab.expectRecovery(engagements: 20)
                #expect(ids.allSatisfy { lab.simulator.world.requestCount(for: $0) == 1 })
            }
        }
    }

    /// With jobs in hand, whose documents must not be tried one by one.
    @Test func aRightThatIsTakenAwayIsWaitedFor() async throws {
        try await PrivateCluster.run { cluster in
            try await cluster.run(
                """
                CREATE ROLE worker LOGIN;
                GRANT USAGE ON SCHEMA askelephant TO worker;
                GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA askelephant TO worker
                """)
            try await OutageLab.run(cluster, conninfo: cluster.conninfo + " user=worker") { lab in
                try await lab.insert(0..<50)
                try await eventually("50 are written") {
                    try await cluster.value("SELECT count(*) FROM engagements") == "50"
                }
                try await cluster.run("REVOKE INSERT ON engagement_transcripts FROM worker")
                try await lab.insert(50..<300)
                try await lab.waitForLoss(["privilege"])
                try await lab.log.beats(10)
                #expect(lab.log.records(of: .dbLost)[0].fields[.sqlstate] == .string("42501"))
                try await cluster.run("GRANT INSERT ON engagement_transcripts TO worker")
                try await lab.expectRecovery(engagements: 300)
            }
        }
    }

    @Test(.enabled(if: SmallDisk.isPossible)) func aFullDiskIsWaitedOutWithoutSplittingBatches() async throws {
        try await PrivateCluster.run { cluster in
            try await SmallDisk.run(for: cluster) { disk in
                try await cluster.run("ALTER TABLE engagement_transcripts SET TABLESPACE small")
                try await cluster.run("ALTER TABLE engagements SET TABLESPACE small")
                try await OutageLab.run(cluster) { lab in
                    #expect(try await disk.fill() > 100)
                    try await lab.insert(0..<200)
                    try await lab.waitForLoss(["disk_full"])
                    try await lab.log.beats(10)
                    #expect(lab.log.records(of: .dbLost)[0].fields[.sqlstate] == .string("53100"))
                    #expect(lab.log.records(of: .jobDone).isEmpty)
                    try await disk.empty()
                    try await lab.expectRecovery(engagements: 200)
                }
                try await cluster.run("ALTER TABLE engagement_transcripts SET TABLESPACE pg_default")
                try await cluster.run("ALTER TABLE engagements SET TABLESPACE pg_default")
            }
        }
    }

    /// With documents in hand, which come to the locked door, and more that cannot be claimed.
    @Test(arguments: ["enrichment_queue", "engagements"])
    func aLockedTableIsWaitedOutWithoutSplittingBatches(_ table: String) async throws {
        try await PrivateCluster.run { cluster in
            let change: @Sendable (inout Worker.Configuration) -> Void = {
                $0.database.statementTimeout = .seconds(2)
                $0.lease = .seconds(60)
            }
            try await OutageLab.run(cluster, latency: .milliseconds(300), change: change) { lab in
                let hand = try await Connection.open(
                    ConnectionConfiguration(conninfo: cluster.conninfo, applicationName: "hand", schema: "askelephant"))
                try await lab.insert(0..<50)
                try await eventually("requests are out") { !lab.simulator.world.requests.isEmpty }
                try await hand.run(script: "BEGIN; LOCK TABLE \(table)", name: "lock")
                try await lab.waitForLoss(["locked", "timeout"])
                try await lab.log.beats(50)
                #expect(lab.log.records(of: .jobDone).isEmpty)
                try await hand.run(script: "COMMIT", name: "unlock")
                await hand.close()
                try await lab.expectRecovery(engagements: 50, within: .seconds(20))
            }
        }
    }

    /// The role may have no connection more, and has none any more: so each of many workers wants all of its own again.
    @Test func workersThatMayNotConnectAskOnceASecondAtMost() async throws {
        let workers = 10
        try await PrivateCluster.run { cluster in
            try await cluster.run(
                """
                CREATE ROLE worker LOGIN;
                GRANT USAGE ON SCHEMA askelephant TO worker;
                GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA askelephant TO worker
                """)
            try await OutageLab.run(cluster, conninfo: cluster.conninfo + " user=worker") { lab in
                var others: [TestWorker] = []
                for _ in 1..<workers {
                    others.append(
                        try await TestWorker(
                            Database.Configuration(
                                conninfo: cluster.conninfo + " user=worker", schema: "askelephant"), lab.simulator,
                            credentials: CredentialSource { .init(Simulator.demoToken) }
                        ) {
                            $0.heartbeatInterval = .milliseconds(100)
                        })
                }
                let refusals = {
                    try cluster.serverLog().split(separator: "\n").count {
                        $0.contains("too many connections for role")
                    }
                }
                let start = ContinuousClock.now
                try await cluster.run("ALTER ROLE worker CONNECTION LIMIT 0")
                try await cluster.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'worker'")
                try await lab.waitForLoss(["too_many_connections", "restarting"])
                try await lab.insert(0..<100)
                try await lab.log.beats(40)
                let seconds = (ContinuousClock.now - start) / .seconds(1)
                // Seven connections each: listen, claim, keep, scopes, two that write; one at once, then one a second.
                let most = Double(workers * 6) * (seconds + 1)
                let asked = try refusals()
                #expect(asked > workers, "nobody was refused")
                #expect(Double(asked) <= most, "\(asked) in \(seconds) s")
                try await cluster.run("ALTER ROLE worker CONNECTION LIMIT -1")
                try await lab.expectRecovery(engagements: 100, within: .seconds(15))
                for other in others {
                    try await eventually(within: .seconds(15), "each comes back") {
                        other.log.records(of: .dbRestored).count == 1
                    }
                    #expect(other.log.records(of: .dbLost).count == 1)
                    try await other.stop()
                }
            }
        }
    }
}
