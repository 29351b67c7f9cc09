import Enrichment
import Simulator
import TestKit
import Testing

/// What a missing permission costs, in requests and in rows.
@Suite(.serialized) struct ScopeTests {
    @Test func aThousandJobsWithoutAScopeCostFiveRequestsMore() async throws {
        try await ScopeLab.run(without: ["contacts:read"]) { lab in
            let worker = try await lab.worker()
            try await lab.insert(lab.ids(0..<1_000))
            try await lab.drained()
            #expect(lab.world.totalRequests <= 1_005)
            #expect(try await lab.gaps() == ["contacts scope_denied": 1_000])
            #expect(try await lab.database.count("SELECT count(*) FROM engagement_companies") > 0)
            #expect(try await lab.database.count("SELECT count(*) FROM engagement_contacts") == 0)
            let denied = worker.log.records(of: .scopeDenied)
            #expect(denied.count == 1)
            #expect(denied.first?.fields[.part] == "contacts")
            #expect(denied.first?.fields[.scope] == "contacts:read")
            try await worker.stop()
            #expect(worker.log.done(.partial).count == 1_000)
        }
    }

    /// Finding out takes longer than a learner's patience here, and costs no more for that.
    @Test(.timeLimit(.minutes(5))) func findingOutOnASlowAPICostsNoMore() async throws {
        var switches = Switches()
        switches.forbiddenStyle = .generic
        try await ScopeLab.run(without: ["contacts:read", "users:read"], switches: switches) { lab in
            lab.world.setLatency(.milliseconds(900))
            let worker = try await lab.worker()
            try await lab.insert(lab.ids(0..<40))
            try await lab.drained()
            #expect(lab.world.totalRequests <= 40 + 12)
            try await worker.stop()
        }
    }

    @Test func twoWorkersThatStartTogetherCostTen() async throws {
        try await ScopeLab.run(without: ["contacts:read", "users:read"]) { lab in
            try await lab.insert(lab.ids(0..<1_000))
            async let first = lab.worker()
            async let second = lab.worker()
            let workers = try await [first, second]
            try await lab.drained()
            #expect(lab.world.totalRequests <= 1_010)
            #expect(try await lab.gaps() == ["contacts scope_denied": 1_000, "owner scope_denied": 1_000])
            #expect(workers.flatMap { $0.log.records(of: .scopeDenied) }.count == 2)
            for worker in workers { try await worker.stop() }
        }
    }

    /// The scope goes while 64 requests are out, and comes back.
    @Test func aScopeThatGoesInMidRunCostsWhatIsInFlightAndItsReturnFillsEveryGap() async throws {
        try await ScopeLab.run { lab in
            lab.world.setLatency(.milliseconds(10))
            let worker = try await lab.worker()
            try await lab.insert(lab.ids(0..<3_000))
            try await lab.world.waitForRequests(total: 1_000)
            lab.world.revoke("contacts:read")
            try await lab.drained(within: .seconds(120))
            #expect(lab.world.totalRequests <= 3_000 + 64 + 5)
            #expect(lab.refusals() <= 64 + 5)
            let lacking = try await lab.database.count(
                "SELECT count(*) FROM engagement_gaps WHERE cause <> 'not_ready'")
            #expect(try await lab.gaps() == ["contacts scope_denied": lacking])
            #expect(lacking > 1_000)

            let before = lab.world.totalRequests
            lab.world.grant("contacts:read")
            let start = ContinuousClock.now
            // What "scopes recheck" does.
            try await lab.database.run("UPDATE scope_denials SET next_probe_at = now()")
            try await eventually("noticed") { !worker.log.records(of: .scopeGranted).isEmpty }
            print("noticed \(ContinuousClock.now - start) after the recheck")
            try await lab.database.wait(
                for: "SELECT count(*) FROM engagement_gaps WHERE cause <> 'not_ready'", toBe: "0")
            print("filled \(lacking) gaps \(ContinuousClock.now - start) after the recheck")
            try await lab.drained(within: .seconds(120))
            // The one that tried is one of them, or an ordinary job.
            #expect(lab.world.totalRequests - before <= lacking + 1)
            #expect(worker.log.records(of: .scopeGranted).count == 1)
            #expect(worker.log.records(of: .scopeDenied).count == 1)
            #expect(try await lab.database.count("SELECT count(*) FROM scope_denials") == 0)
            try await worker.stop()
        }
    }

    /// Twenty private engagements stand before a hundred good ones, and the token is new.
    @Test(arguments: [Switches.PrivateWithoutScope.forbidden, .notFound])
    func privateOnesInFrontStopNobody(_ answer: Switches.PrivateWithoutScope) async throws {
        var switches = Switches()
        switches.privateWithoutScope = answer
        try await ScopeLab.run(without: ["engagements:private:read"], switches: switches) { lab in
            let hidden = lab.ids(0..<20)
            for id in hidden { lab.world.setPrivate(id) }
            try await lab.insert(hidden)
            try await lab.insert(lab.ids(100..<200))
            let worker = try await lab.worker()
            try await lab.database.wait(
                for:
                    "SELECT count(*) FROM engagements WHERE NOT EXISTS (SELECT FROM engagement_gaps WHERE cause <> 'not_ready')",
                toBe: "100",
                within: .seconds(120))
            #expect(try await lab.database.count("SELECT count(*) FROM scope_denials") == 0)
            let cause = answer == .forbidden ? "private" : "not_found"
            try await eventually(within: .seconds(120), "20 dead letters") {
                try await lab.database.run(
                    "UPDATE enrichment_queue SET available_at = now() WHERE leased_by IS NULL AND available_at > now()")
                return try await lab.database.count("SELECT count(*) FROM dead_letters WHERE cause = '\(cause)'") == 20
            }
            #expect(try await lab.database.count("SELECT count(*) FROM dead_letters") == 20)
            #expect(worker.log.records(of: .scopeDenied).isEmpty)
            #expect(worker.log.records(of: .credentialInvalid).isEmpty)
            try await worker.stop()
        }
    }

    /// A private engagement among others delays nobody, and denies nothing.
    @Test func privateOnesAmongOthersDenyNothing() async throws {
        try await ScopeLab.run(without: ["engagements:private:read"]) { lab in
            let ids = lab.ids(0..<600)
            for (number, id) in ids.enumerated() where number % 10 == 0 { lab.world.setPrivate(id) }
            let worker = try await lab.worker()
            try await lab.insert(ids)
            try await lab.drained()
            #expect(try await lab.database.count("SELECT count(*) FROM engagements") == 540)
            #expect(try await lab.database.count("SELECT count(*) FROM dead_letters WHERE cause = 'private'") == 60)
            #expect(try await lab.gaps().isEmpty)
            #expect(try await lab.database.count("SELECT count(*) FROM scope_denials") == 0)
            #expect(lab.world.totalRequests <= 540 + 60 * 4)
            try await worker.stop()
        }
    }

    /// The base scope is missing: no engagement is blamed, nothing is charged, and the grant is noticed by itself.
    @Test func aTokenWithoutTheBaseScopeIsTheCredentialsTrouble() async throws {
        try await ScopeLab.run(without: ["engagements:read"]) { lab in
            try await lab.insert(lab.ids(0..<50))
            let worker = try await lab.worker()
            try await eventually("invalid") { !worker.log.records(of: .credentialInvalid).isEmpty }
            try await lab.database.wait(
                for: "SELECT count(*) FROM enrichment_queue WHERE leased_by IS NULL AND attempts = 0", toBe: "50")
            #expect(try await lab.database.count("SELECT count(*) FROM dead_letters") == 0)
            #expect(worker.log.records(of: .credentialInvalid).first?.fields[.cause] == "forbidden")
            lab.world.grant("engagements:read")
            // What "scopes recheck" does.
            try await lab.database.run("UPDATE credentials SET next_probe_at = now()")
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "50")
            #expect(worker.log.records(of: .credentialRestored).count == 1)
            try await worker.stop()
        }
    }

    /// Stored children of a part that is denied now stay, and the gap says from when they are.
    @Test func whatWasReadBeforeStays() async throws {
        try await ScopeLab.run { lab in
            let ids = lab.ids(0..<20)
            let worker = try await lab.worker()
            try await lab.insert(ids)
            try await lab.drained()
            let contacts = try await lab.database.count("SELECT count(*) FROM engagement_contacts")
            #expect(contacts > 0)
            lab.world.revoke("contacts:read")
            for id in ids { lab.world.bump(id) }
            try await lab.insert(ids)
            try await lab.database.wait(
                for: "SELECT count(*) FROM engagement_gaps WHERE part = 'contacts' AND last_delivered_at IS NOT NULL",
                toBe: "20")
            #expect(try await lab.database.count("SELECT count(*) FROM engagement_contacts") == contacts)
            try await worker.stop()
        }
    }
}
