import Enrichment
import Synchronization
import TestKit
import Testing

@testable import Simulator

/// The database holds what the source says: field by field, child by child.
@Suite(.serialized) struct TruthTests {
    @Test(.timeLimit(.minutes(5))) func thousandsOfMixedEngagementsEqualTheTruth() async throws {
        let seed = TruthSeed.draw("thousandsOfMixedEngagementsEqualTheTruth")
        try await TruthLab.run(seed: seed) { lab in
            let ids = (0..<2_000).map { lab.world.id($0) }
            try await lab.enrich(ids, reason: "first")
            #expect(try await lab.outcomes(of: "first", count: 2_000) == ["enriched": 2_000])
            try await expectTruth(lab, ids)

            let touch = try await TruthTouch(lab.database, includesShared: false)
            try await lab.enrich(ids, reason: "again")
            #expect(try await lab.outcomes(of: "again", count: 2_000) == ["unchanged": 2_000])
            #expect(try await touch.touched() == [])
            #expect(try await touch.wronglyTimed() == 0)
            try await expectTruth(lab, ids)

            move(lab.world, ids)
            try await lab.enrich(ids, reason: "moved")
            try await expectTruth(lab, ids, beside: .history)
            try await expectPeriods(lab.database)
            #expect(try await lab.database.count("SELECT count(*) FROM dead_letters") == 0)
        }
    }

    /// A contact's document differs with the engagement through which it is seen, in the simulator too. Where all
    /// documents have one shape, a second look writes nothing of what engagements share either.
    @Test(.timeLimit(.minutes(5))) func aSecondLookTouchesNothingThatEngagementsShare() async throws {
        let seed = TruthSeed.draw("aSecondLookTouchesNothingThatEngagementsShare")
        try await TruthLab.run(seed: seed) { lab in
            let ids = idsOfOneShape(lab.world, count: 400)
            try await lab.enrich(ids, reason: "first")
            try await expectTruth(lab, ids)
            let touch = try await TruthTouch(lab.database, includesShared: true)
            try await lab.enrich(ids, reason: "again")
            #expect(try await lab.outcomes(of: "again", count: ids.count) == ["unchanged": ids.count])
            #expect(try await touch.touched() == [])
            #expect(try await touch.wronglyTimed() == 0)
        }
    }

    /// A contact that changes moves no engagement (contract U-21), and is still seen.
    @Test(.timeLimit(.minutes(5))) func aContactThatChangedIsSeenThroughAnUnchangedEngagement() async throws {
        try await TruthLab.run(seed: TruthSeed.draw("aContactThatChanged")) { lab in
            let id = try #require((0..<500).map(lab.world.id).first { !lab.world.truth($0).contacts.isEmpty })
            let contact = lab.world.truth(id).contacts[0]
            let index = try #require((0..<5_000).first { lab.world.contact($0).id == contact.id })
            try await lab.enrich([id], reason: "first")
            while lab.world.contact(index) == contact { lab.world.bumpContact(index) }
            try await lab.enrich([id], reason: "again")
            try await expectTruth(lab, [id])
        }
    }

    private func expectTruth(_ lab: TruthLab, _ ids: [String], beside: TruthComparison.Beside = .nothing) async throws {
        let comparison = TruthComparison(ids.map { lab.world.truth($0) }, beside: beside)
        let differences = try await comparison.differences(in: lab.database)
        #expect(differences.isEmpty, "\(differences.joined(separator: "\n"))")
    }

    /// A third moves on, some by several versions; what was unfinished is finished; what they share changes, too.
    private func move(_ world: World, _ ids: [String]) {
        for (number, id) in ids.enumerated() {
            if world.truth(id).processingStatus == "PROCESSING" { world.finish(id) }
            if number.isMultiple(of: 3) { world.bump(id) }
            if number.isMultiple(of: 30) { world.setVersion(id, 7 + number / 30) }
        }
        for index in 0..<500 { world.bumpContact(index * 7) }
        for index in 0..<200 { world.bumpCompany(index * 2) }
        for index in 0..<10 { world.bumpUser(index) }
        for index in 0..<5 { world.bumpTag(index) }
    }

    /// What closed did so after it was last seen, and no two periods of the same link overlap.
    private func expectPeriods(_ database: TestDatabase) async throws {
        #expect(try await database.count("SELECT count(*) FROM crm_associations WHERE removed_at IS NOT NULL") > 0)
        let badlyClosed = """
            SELECT count(*) FROM crm_associations
            WHERE removed_at IS NOT NULL
              AND (last_seen_at IS NULL OR last_seen_at < first_seen_at OR removed_at < last_seen_at)
            """
        #expect(try await database.count(badlyClosed) == 0)
        let overlapping = """
            SELECT count(*) FROM crm_associations AS a JOIN crm_associations AS b USING (subject_type, subject_id)
            WHERE a.id < b.id AND (a.removed_at IS NULL OR a.removed_at > b.first_seen_at)
            """
        #expect(try await database.count(overlapping) == 0)
    }

    private func idsOfOneShape(_ world: World, count: Int) -> [String] {
        let generator = world.state.withLock { $0.generator }
        let ids = (0..<count * 20).lazy.map { world.id($0) }.filter { id in
            let shape = Shape(generator.draws(id), world.switches)
            return shape.hasUnknownKeys && !shape.leavesOutEmptyLists && shape.writesNullWhereTyped
        }
        return Array(ids.prefix(count))
    }
}
