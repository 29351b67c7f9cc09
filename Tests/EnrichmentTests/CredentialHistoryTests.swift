import Enrichment
import Simulator
import TestKit
import Testing

/// Tokens that come and go, and workers that do.
@Suite(.serialized) struct CredentialHistoryTests {
    /// The new token is there before the old one ends, as OAuth has it.
    @Test(.timeLimit(.minutes(5))) func aTokenThatIsReplacedInTimeInterruptsNothing() async throws {
        try await ScopeLab.run { lab in
            lab.world.setLatency(.milliseconds(20))
            let worker = try await lab.worker { $0.concurrency = 16 }
            try await lab.insert(lab.ids(0..<2_000))
            for change in 1...3 {
                try await lab.world.waitForRequests(total: 400 * change)
                let old = lab.file.token
                lab.replaceToken("sk-apik_lab.change\(change)")
                lab.world.invalidate(old)
            }
            try await lab.drained()
            #expect(try await lab.database.count("SELECT count(*) FROM engagements") == 2_000)
            #expect(lab.refusals(401) > 0)
            #expect(lab.refusals(401) <= 3 * 16)
            #expect(worker.log.records(of: .credentialInvalid).isEmpty)
            #expect(worker.log.records(of: .credentialRestored).isEmpty)
            try await worker.stop()
            #expect(worker.log.done(.enriched).count == 2_000 && worker.log.records(of: .jobDone).count == 2_000)
        }
    }

    /// A line for each change, whichever way.
    @Test(.timeLimit(.minutes(5))) func eachChangeIsSaidOnce() async throws {
        try await ScopeLab.run { lab in
            let worker = try await lab.worker { $0.concurrency = 8 }
            for round in 1...3 {
                lab.world.invalidate(lab.file.token)
                lab.file.token = "sk-apik_lab.bad\(round)"
                try await lab.insert(lab.ids(round * 100..<round * 100 + 50))
                try await eventually("invalid") { worker.log.records(of: .credentialInvalid).count == round }
                lab.replaceToken("sk-apik_lab.good\(round)")
                try await eventually("restored") { worker.log.records(of: .credentialRestored).count == round }
                try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "\(round * 50)")
            }
            #expect(worker.log.records(of: .credentialInvalid).count == 3)
            #expect(worker.log.done(.retry).isEmpty)
            try await worker.stop()
        }
    }

    /// One wrong token after another: each is tried once, and Postgres knows of the last that it is refused.
    @Test(.timeLimit(.minutes(5))) func aWrongTokenThatIsReplacedByAWrongOneIsTriedOnce() async throws {
        try await ScopeLab.run { lab in
            lab.file.token = "sk-apik_lab.wrong"
            try await lab.insert(lab.ids(0..<10))
            let worker = try await lab.worker { $0.heartbeatInterval = .milliseconds(100) }
            try await lab.database.wait(for: "SELECT state FROM credentials", toBe: "refused")
            let fingerprint = "SELECT fingerprint FROM credentials"
            for round in 1...3 {
                let (before, old) = (lab.world.totalRequests, try await lab.database.value(fingerprint))
                lab.file.token = "sk-apik_lab.wrong\(round)"
                try await eventually("seen") { try await lab.database.value(fingerprint) != old }
                try await lab.database.wait(
                    for: "SELECT count(*) FROM credentials WHERE next_probe_at > now() + interval '15 seconds'",
                    toBe: "1")
                try await worker.log.beats(15)
                #expect(lab.world.totalRequests == before + 1, "round \(round)")
                #expect(try await lab.database.value("SELECT state FROM credentials") == "refused")
            }
            #expect(worker.log.records(of: .credentialInvalid).count == 1)
            #expect(worker.log.records(of: .credentialRestored).isEmpty)
            try await worker.stop()
        }
    }

    /// While 64 requests are out the base scope goes: no engagement is taken for a private one.
    @Test(
        .timeLimit(.minutes(5)),
        arguments: [Switches.ForbiddenStyle.generic, .allRequiredInDetail, .firstMissingInDetail, .scopeInChallenge])
    func aBaseScopeThatGoesInMidRunBlamesNoEngagement(_ style: Switches.ForbiddenStyle) async throws {
        var switches = Switches()
        switches.forbiddenStyle = style
        try await ScopeLab.run(without: ["contacts:read"], switches: switches) { lab in
            lab.world.setLatency(.milliseconds(10))
            let worker = try await lab.worker()
            try await lab.insert(lab.ids(0..<1_500))
            try await lab.world.waitForRequests(total: 400)
            lab.world.revoke("engagements:read")
            try await eventually("invalid") { !worker.log.records(of: .credentialInvalid).isEmpty }
            try await lab.database.wait(
                for: "SELECT count(*) FROM enrichment_queue WHERE leased_by IS NOT NULL", toBe: "0")
            print("\(style.rawValue): \(lab.refusals()) refused")
            #expect(lab.refusals() <= 64 + 16)
            lab.world.grant("engagements:read")
            worker.worker.recheck()
            try await eventually(within: .seconds(120), "all are there") {
                try await lab.database.run(
                    """
                    UPDATE enrichment_queue SET available_at = now()
                    WHERE leased_by IS NULL AND available_at > now() AND reason IS NULL
                    """)
                return try await lab.database.count("SELECT count(*) FROM engagements") == 1_500
            }
            #expect(try await lab.database.count("SELECT count(*) FROM dead_letters") == 0)
            #expect(try await lab.database.value("SELECT string_agg(part, ',') FROM scope_denials") == "contacts")
            #expect(worker.log.done(.dead).isEmpty && worker.log.done(.retry).isEmpty)
            #expect(worker.log.records(of: .scopeDenied).count == 1)
            try await worker.stop()
        }
    }

    // MARK: Restarts

    @Test(.timeLimit(.minutes(5))) func aKnownCredentialsNextWorkerSendsAtOnceWhateverItMay() async throws {
        try await ScopeLab.run(without: ["contacts:read"]) { lab in
            let first = try await lab.worker()
            try await lab.insert(lab.ids(0..<10))
            try await lab.drained()
            try await lab.database.wait(for: "SELECT state FROM credentials", toBe: "ok")
            try await first.stop()

            let held = lab.ids(10..<20)
            for id in held { lab.world.hold(id) }
            let before = lab.world.totalRequests
            try await lab.insert(held)
            let second = try await lab.worker()
            // All are out, though none was answered.
            try await eventually(within: .seconds(10), "ten at once") { lab.world.totalRequests == before + 10 }
            for id in held { lab.world.releaseHold(id) }
            try await lab.drained()
            #expect(lab.world.totalRequests == before + 10)
            #expect(try await lab.gaps() == ["contacts scope_denied": 20])
            #expect(second.log.records(of: .scopeDenied).isEmpty)
            try await second.stop()
        }
    }

    @Test(.timeLimit(.minutes(5))) func aWorkerThatIsStartedAgainAndAgainDoesNotHammerWithARefusedToken() async throws {
        try await ScopeLab.run { lab in
            lab.world.invalidate(ScopeLab.token)
            try await lab.insert(lab.ids(0..<10))
            let first = try await lab.worker()
            try await eventually("invalid") { !first.log.records(of: .credentialInvalid).isEmpty }
            try await lab.database.wait(for: "SELECT state FROM credentials", toBe: "refused")
            try await first.stop()
            let before = lab.world.totalRequests
            #expect(before <= 2)
            for _ in 0..<4 {
                let worker = try await lab.worker { $0.heartbeatInterval = .milliseconds(100) }
                try await worker.log.beats(12)
                #expect(worker.log.records(of: .credentialInvalid).count == 1)
                try await worker.stop()
            }
            #expect(lab.world.totalRequests == before)
            // Put right while no worker ran: the next one tries at once.
            lab.replaceToken("sk-apik_lab.right")
            let last = try await lab.worker()
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "10", within: .seconds(5))
            #expect(last.log.records(of: .credentialInvalid).isEmpty)
            #expect(try await lab.database.count("SELECT count(*) FROM dead_letters") == 0)
            try await last.stop()
        }
    }
}
