import Foundation
import TestKit
import Testing

/// Everything at once: workers come and go, faults are drawn from a seed and overlap, engagements change meanwhile; at the
/// end everything must hold that is promised.
///
/// `TEST_SEED` repeats a schedule, `TEST_CHAOS_SECONDS` says how long the faults last.
@Suite(.serialized) struct ChaosTests {
    private static let length = Duration.seconds(size("TEST_CHAOS_SECONDS", or: 30))

    @Test func aScheduleFollowsFromItsSeed() {
        let first = ChaosSchedule(seed: 7, length: .seconds(600))
        #expect(first == ChaosSchedule(seed: 7, length: .seconds(600)))
        #expect(first.events != ChaosSchedule(seed: 8, length: .seconds(600)).events)
        #expect(first.faults == Set(ChaosFault.allCases))
        var busy: [ChaosFault.Resource: Duration] = [:]
        for event in first.events {
            let resource = event.fault.resource(event.slot)
            #expect(event.at >= busy[resource] ?? .zero, "\(event)")
            busy[resource] = event.at + event.lasts
        }
    }

    @Test func nothingIsLostWhateverHappens() async throws {
        let schedule = ChaosSchedule(seed: TruthSeed.draw("chaos"), length: Self.length)
        func none(_ violations: [String], _ when: String) {
            guard !violations.isEmpty else { return }
            Issue.record("seed \(schedule.seed), \(when):\n\(violations.joined(separator: "\n"))")
        }
        try await ChaosStage.run(schedule) { stage in
            try await ChaosProbes(stage: stage).run()
            let run = ChaosRun(stage: stage)
            try await run.storm()
            print("chaos: \(stage.counts.text)")
            try await run.heal()
            none(stage.counts.unaskedEnds, "in the storm")
            none(try await run.disorderly(), "in the storm")
            try await run.goesOn()
            try await run.settle()
            let invariants = ChaosInvariants(stage: stage)
            none(try await invariants.violations(), "once the faults are over")
            none(try await invariants.staleOrMixed(), "once the faults are over")
            try await run.finish()
            none(try await invariants.violations(), "at the end")
            none(try await invariants.untrue(), "at the end")
            // Their rows are kept for two minutes.
            try await stage.persist("UPDATE workers SET last_seen_at = last_seen_at - interval '3 minutes'")
            try await eventually("no worker that is gone is on the list") {
                try await stage.cluster.value("SELECT count(*) FROM workers") == "\(stage.slots.count)"
            }
            #expect(try await run.stop().allSatisfy { $0 == 0 })
            none(try await ChaosLogs(stage: stage).unreported(), "in the logs")
            none(try ChaosLogs(stage: stage).violations(), "in the logs")
            for fault in schedule.faults.sorted(by: { $0.rawValue < $1.rawValue }) {
                #expect(stage.counts.count(fault) > 0, "\(fault) met nothing, seed \(schedule.seed)")
            }
            let inserted = try await stage.cluster.value("SELECT count(*) FROM audit_inserts") ?? ""
            print("chaos: \(inserted) rows inserted, \(stage.book.inserted.count) engagements, seed \(schedule.seed)")
        }
    }
}
