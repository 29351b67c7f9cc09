import Enrichment
import Simulator
import TestKit
import Testing

/// An engagement that the API does not find: it may have been made a moment ago.
struct MissingTests {
    private func withLab(_ test: (TruthLab, String) async throws -> Void) async throws {
        try await TruthLab.run(change: TruthLab.quickPolls) { lab in try await test(lab, lab.world.id(1)) }
    }

    /// Waits for that many looks at it, and lets the next one begin.
    private func waitForLook(_ number: Int, _ lab: TruthLab) async throws {
        let looked =
            "SELECT concat_ws(' ', looks, attempts, leased_by IS NULL) FROM enrichment_queue WHERE reason = 'test'"
        try await lab.database.wait(for: looked, toBe: "\(number) 0 t")
    }

    private func bringForward(_ lab: TruthLab) async throws {
        try await lab.database.run("UPDATE enrichment_queue SET available_at = now() WHERE leased_by IS NULL")
    }

    @Test func whatIsThereAtTheNextLookIsEnriched() async throws {
        try await withLab { lab, id in
            lab.world.setMissing(id)
            try await lab.enqueue([id])
            try await waitForLook(1, lab)
            lab.world.setMissing(id, false)
            try await bringForward(lab)
            try await lab.settled()
            let stored = "SELECT concat(id, ' ', _unreadable_since IS NULL) FROM engagements"
            #expect(try await lab.database.value(stored) == "\(id) t")
            #expect(try await lab.database.count("SELECT count(*) FROM dead_letters") == 0)
            #expect(lab.world.requestCount(for: id) == 2)
        }
    }

    @Test func whatIsNeverFoundIsADeadLetterAndKeepsWhatWasRead() async throws {
        try await withLab { lab, id in
            try await lab.enrich([id])
            let title = try await lab.database.value("SELECT title FROM engagements")
            lab.world.setMissing(id)
            try await lab.enqueue([id])
            for look in 1...4 {
                try await waitForLook(look, lab)
                try await bringForward(lab)
            }
            let letter = "SELECT concat_ws(' ', cause, attempts) FROM dead_letters"
            try await lab.database.wait(for: letter, toBe: "not_found 0")
            #expect(try await lab.database.value("SELECT title FROM engagements") == title)
            let marks = "SELECT concat_ws(' ', _unreadable_since IS NOT NULL, _deleted_at IS NULL) FROM engagements"
            #expect(try await lab.database.value(marks) == "t t")
        }
    }
}
