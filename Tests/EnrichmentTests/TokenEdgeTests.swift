import Enrichment
import Postgres
import Simulator
import TestKit
import Testing

/// What a refusal does not say of a token.
@Suite(.serialized) struct TokenEdgeTests {
    /// Refused with the old token, delivered with the new one: nobody was refused with the new one.
    @Test func aTokenThatChangesInMidSearchDeniesNothing() async throws {
        try await ScopeLab.run(without: ["contacts:read"]) { lab in
            let id = lab.world.id(1)
            // Long enough for the file to be read again while the first request is out.
            lab.world.setLatency(id, .milliseconds(2_500))
            let worker = try await lab.worker()
            try await lab.insert([id])
            try await lab.world.waitForRequest(id)
            lab.replaceToken("sk-apik_new.secret")
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "1", within: .seconds(120))
            #expect(lab.refusals() == 1, "the old token was refused")
            #expect(try await lab.gaps().isEmpty)
            #expect(try await lab.database.count("SELECT count(*) FROM scope_denials") == 0)
            #expect(worker.log.records(of: .scopeDenied).isEmpty)
            try await worker.stop()
        }
    }

    /// The new token is there while the API is away, and so is the row in which the old one's refusal would be written down. What
    /// is known of the old one says nothing of the new one, and an answer that tells nothing is no reason to wait long.
    @Test(arguments: [false, true]) func aNewTokenIsTriedUntilThereIsAnAnswer(_ isLocked: Bool) async throws {
        try await ScopeLab.run { lab in
            try await lab.database.knowCredential()
            let worker = try await lab.worker()
            try await lab.insert([lab.world.id(0)])
            try await lab.drained()
            let person = try await lab.database.connect()
            if isLocked { try await person.run(script: "BEGIN; SELECT FROM credentials FOR UPDATE", name: "lock") }
            lab.world.removeToken(ScopeLab.token)
            try await lab.insert([lab.world.id(1)])
            try await eventually("it is refused") { worker.log.records(of: .credentialInvalid).count == 1 }
            let before = lab.world.totalRequests
            lab.world.setFault(.page)
            lab.replaceToken("sk-apik_new.secret")
            try await eventually("it was tried in vain") {
                lab.world.requests.dropFirst(before).count { $0.isList && $0.status == 200 } >= (isLocked ? 1 : 2)
            }
            if isLocked { try await person.run(script: "ROLLBACK", name: "unlock") }
            lab.world.clearOverrideOfAll()
            try await eventually(within: .seconds(5), "it is taken") {
                worker.log.records(of: .credentialRestored).count == 1
            }
            try await lab.drained()
            #expect(try await lab.database.count("SELECT count(*) FROM engagements") == 2)
            #expect(worker.log.records(of: .credentialInvalid).count == 1)
            try await worker.stop()
            await person.close()
        }
    }

    /// One engagement is answered with 401 whatever the token: it stops the others once, not again and again.
    @Test func anEngagementThatAnswers401IsItsOwnMatter() async throws {
        try await ScopeLab.run { lab in
            let odd = lab.world.id(0)
            lab.world.override(odd, SimResponse(status: 401))
            let worker = try await lab.worker()
            try await lab.insert([odd])
            try await lab.insert(lab.ids(1..<50))
            try await eventually("held") { !worker.log.records(of: .credentialInvalid).isEmpty }
            try await lab.database.wait(
                for: "SELECT count(*) FROM credentials WHERE state = 'refused' AND next_probe_at IS NOT NULL", toBe: "1"
            )
            // Half a minute later.
            try await lab.database.run("UPDATE credentials SET next_probe_at = now()")
            try await lab.database.wait(for: "SELECT cause FROM dead_letters", toBe: "rejected", within: .seconds(120))
            try await lab.drained()
            #expect(try await lab.database.count("SELECT count(*) FROM engagements") == 49)
            #expect(worker.log.records(of: .credentialInvalid).count == 1)
            #expect(worker.log.records(of: .credentialRestored).count == 1)
            try await worker.stop()
        }
    }
}
