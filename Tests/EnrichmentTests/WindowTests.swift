import AskElephant
import TestKit
import Testing

@testable import Enrichment

/// The window against a model that is too slow to be wrong.
struct WindowTests {
    private static let seed = TruthSeed.draw("WindowTests")

    @Test(arguments: 0..<20) func agreesWithTheModel(_ number: UInt64) throws {
        let seed = Self.seed &+ number
        // Where nothing is dropped and no engagement changes its lane, the order within a lane is that of arrival.
        var run = WindowRun(seed: seed, isOrdered: number.isMultiple(of: 2))
        for _ in 0..<1_500 { try run.step() }
        try run.drain()
    }

    @Test func rowsBeforeTheRequestShareItAndLaterOnesShareTheNext() throws {
        var window = Window()
        let id = try #require(EngagementID("ngmt_A"))
        for number in Int64(1)...3 { _ = window.admit(Job(id: number, claims: 1, engagementID: "ngmt_A"), of: id) }
        #expect(window.unsentCount == 1)
        #expect(window.takeNext()?.jobs.map(\.id) == [1, 2, 3])
        for number in Int64(4)...53 { _ = window.admit(Job(id: number, claims: 1, engagementID: "ngmt_A"), of: id) }
        #expect(window.takeNext()?.jobs == nil)
        window.finish(id)
        #expect(window.takeNext()?.jobs.map(\.id) == (4...53).map(Int64.init))
        window.finish(id)
        #expect(window.isEmpty && window.jobCount == 0)
    }

    @Test func aLiveRowLiftsTheRequestThatItSharesWithABackgroundOne() throws {
        var window = Window()
        let (a, b) = (try #require(EngagementID("ngmt_A")), try #require(EngagementID("ngmt_B")))
        _ = window.admit(Job(id: 1, claims: 1, engagementID: "ngmt_A", lane: .background), of: a)
        _ = window.admit(Job(id: 2, claims: 1, engagementID: "ngmt_B", lane: .normal), of: b)
        _ = window.admit(Job(id: 3, claims: 1, engagementID: "ngmt_A", lane: .live), of: a)
        #expect(window.unsentCount(.background) == 0 && window.unsentCount(.live) == 1)
        #expect(window.takeNext()?.jobs.map(\.id) == [1, 3])
        #expect(window.takeNext()?.jobs.map(\.id) == [2])
        #expect(window.takeNext()?.jobs == nil)
    }
}

/// One seeded run of both, side by side.
private struct WindowRun {
    private struct Group {
        let engagement: EngagementID
        var jobs: [Job]
        /// The highest of its rows; it does not fall again when that row is lost while the request waits its turn.
        var lane: Lane
    }

    private var random: SeededRandom
    private let isOrdered: Bool
    private let engagements: [EngagementID]
    private var nextJob: Int64 = 0

    private var window = Window()
    /// The model: what waits, in order of arrival, and what is in hand.
    private var waiting: [Group] = []
    private var inHand: [Group] = []

    init(seed: UInt64, isOrdered: Bool) {
        random = SeededRandom(seed: seed)
        self.isOrdered = isOrdered
        engagements = (0..<30).map { EngagementID("ngmt_\($0)")! }
    }

    mutating func step() throws {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<45: admit()
        case 45..<70: try take()
        case 70..<92: finish()
        case 92..<95: admitAgain()
        case 95..<99 where !isOrdered: drop()
        case 99 where !isOrdered && Int.random(in: 0..<5, using: &random) == 0: giveBack()
        default: break
        }
        try check()
    }

    /// Ends everything; then both are empty.
    mutating func drain() throws {
        while !waiting.isEmpty || !inHand.isEmpty {
            try take()
            finish()
            try check()
        }
        #expect(window.isEmpty && window.jobCount == 0 && window.jobs.isEmpty)
    }

    // MARK: Steps

    private mutating func admit() {
        let index = Int.random(in: 0..<engagements.count, using: &random)
        let lane = isOrdered ? Lane.inOrder[index % 3] : Lane.inOrder.randomElement(using: &random)!
        nextJob += 1
        let job = Job(id: nextJob, claims: 1, engagementID: engagements[index].rawValue, lane: lane)
        #expect(window.admit(job, of: engagements[index]) == nil)
        // Rows that come while the engagement is in hand wait too, but are not to be sent before that has ended.
        if let group = waiting.firstIndex(where: { $0.engagement == engagements[index] }) {
            waiting[group].jobs.append(job)
            waiting[group].lane = max(waiting[group].lane, lane)
        } else {
            waiting.append(Group(engagement: engagements[index], jobs: [job], lane: lane))
        }
    }

    /// A row whose lease ran out while it waited here, or whose claim the server lost in a crash: then the next one has the
    /// same number.
    private mutating func admitAgain() {
        guard let group = waiting.indices.randomElement(using: &random) else { return }
        let earlier = waiting[group].jobs.remove(at: .random(in: waiting[group].jobs.indices, using: &random))
        let engagement = waiting[group].engagement
        let claims = earlier.claims + .random(in: 0...1, using: &random)
        let job = Job(id: earlier.id, claims: claims, engagementID: engagement.rawValue, lane: earlier.lane)
        waiting[group].jobs.append(job)
        #expect(window.admit(job, of: engagement) == earlier)
    }

    private mutating func take() throws {
        let sendable = waiting.filter { !isInHand($0.engagement) }
        guard let fetch = window.takeNext() else { return try #require(sendable.isEmpty) }
        let lane = try #require(sendable.map(\.lane).max())
        let expected = try #require(
            sendable.first { isOrdered ? $0.lane == lane : $0.engagement == fetch.engagementID })
        #expect(fetch.engagementID == expected.engagement && fetch.jobs == expected.jobs && expected.lane == lane)
        waiting.removeAll { $0.engagement == fetch.engagementID }
        inHand.append(Group(engagement: fetch.engagementID, jobs: fetch.jobs, lane: lane))
    }

    private mutating func finish() {
        guard let index = inHand.indices.randomElement(using: &random) else { return }
        let group = inHand.remove(at: index)
        window.finish(group.engagement)
        // What came meanwhile is lined up only now.
        if let later = waiting.firstIndex(where: { $0.engagement == group.engagement }) {
            var next = waiting.remove(at: later)
            next.lane = next.jobs.map(\.lane).max()!
            waiting.append(next)
        }
    }

    private mutating func drop() {
        let lost = Set((0..<5).map { _ in Int64.random(in: max(1, nextJob - 40)...max(1, nextJob), using: &random) })
        let dropped = window.drop(Dictionary(uniqueKeysWithValues: lost.map { ($0, 1) })).flatMap(\.1)
        let isLost = { (job: Job) in lost.contains(job.id) && job.claims == 1 }
        #expect(Set(dropped.map(\.id)) == Set(waiting.flatMap(\.jobs).filter(isLost).map(\.id)))
        for index in waiting.indices { waiting[index].jobs.removeAll(where: isLost) }
        waiting.removeAll(where: \.jobs.isEmpty)
    }

    private mutating func giveBack() {
        let given = window.giveBack().flatMap { $0.1.map(\.id) }
        #expect(given.sorted() == waiting.flatMap { $0.jobs.map(\.id) }.sorted())
        waiting = []
    }

    // MARK: Checks

    private func isInHand(_ engagement: EngagementID) -> Bool { inHand.contains { $0.engagement == engagement } }

    private func check() throws {
        let sendable = waiting.filter { !isInHand($0.engagement) }
        let jobs = (waiting + inHand).flatMap { $0.jobs.map(\.id) }
        try #require(window.jobCount == jobs.count)
        try #require(window.unsentCount == sendable.count)
        for lane in Lane.inOrder { try #require(window.unsentCount(lane) >= 0) }
        try #require(Set(window.jobs.map(\.id)) == Set(jobs))
        try #require(window.isEmpty == jobs.isEmpty)
    }
}
