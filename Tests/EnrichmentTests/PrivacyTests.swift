import Enrichment
import Simulator
import TestKit
import Testing

/// An owner may hide an engagement and show it again as often as they like.
struct PrivacyTests {
    @Test(arguments: [Switches.PrivateWithoutScope.forbidden, .notFound])
    func oneThatIsHiddenAndShownAgainConverges(_ answer: Switches.PrivateWithoutScope) async throws {
        var switches = Switches()
        switches.privateWithoutScope = answer
        try await ScopeLab.run(without: ["engagements:private:read"], switches: switches) { lab in
            let worker = try await lab.worker()
            let id = lab.world.id(0)
            try await lab.insert(lab.ids(0..<20))
            try await lab.drained()
            let links = "SELECT count(*) FROM engagement_contacts WHERE engagement_id = '\(id)'"
            let before = try await lab.database.count(links)
            #expect(before > 0)
            let asked = lab.world.totalRequests
            for flip in 1...10 {
                let isHidden = !flip.isMultiple(of: 2)
                lab.world.setPrivate(id, isHidden)
                try await lab.insert([id])
                let state = "SELECT _unreadable_since IS NOT NULL FROM engagements WHERE id = '\(id)'"
                try await lab.database.wait(for: state, toBe: isHidden ? "t" : "f")
                #expect(try await lab.database.count(links) == before, "what was read stays")
            }
            try await lab.drained()
            let shown = "SELECT count(*) FROM engagements_live WHERE id = '\(id)'"
            #expect(try await lab.database.count(shown) == 1)
            #expect(try await lab.database.count("SELECT count(*) FROM engagements WHERE _deleted_at IS NOT NULL") == 0)
            #expect(try await lab.database.count("SELECT count(*) FROM scope_denials") == 0)
            #expect(worker.log.records(of: .scopeDenied).isEmpty)
            // Each time one request, and for a refusal those that find out whether a part was why.
            let requests = lab.world.totalRequests - asked
            #expect(requests <= 10 * 3, "\(requests) requests")
            #expect(lab.world.requests.count { $0.isList } <= 10)
            try await worker.stop()
        }
    }
}
