import AskElephant
import Enrichment
import TestKit
import Testing

/// The walk alone, against lists in memory that behave in every way that the contract leaves open.
@Suite struct ListWalkTests {
    /// What may be wrong with a list's cursors and order (U-15, fault 75).
    enum Trouble: CaseIterable, Sendable { case none, refused, repeated, circle, shuffled, moving }

    /// A list of times in seconds; each engagement's id is its place in it.
    private struct Source {
        var seconds: [Int64]
        var trouble: Trouble
        var requests = 0
        private var handed: [Int] = []

        init(seconds: [Int64], trouble: Trouble) { (self.seconds, self.trouble) = (seconds, trouble) }

        static func time(_ seconds: Int64) -> UpdateTime {
            let text = String(seconds + 1_000)
            return UpdateTime("2026-01-01T\(text.prefix(2)):\(text.dropFirst(2)):00Z")!
        }

        /// Nil: the cursor is refused. A cursor is the number of what was shown before, or the last of that.
        mutating func page(_ list: EngagementList, _ random: inout SeededRandom) -> EngagementPage? {
            requests += 1
            if trouble == .refused, list.cursor != nil, requests % 2 == 0 { return nil }
            if trouble == .moving, !seconds.isEmpty, Int.random(in: 0..<3, using: &random) == 0 {
                let latest = seconds.max()!
                seconds[Int.random(in: seconds.indices, using: &random)] = min(latest + 1, 59)
            }
            var found = seconds.indices.filter { index in list.from.map { Self.time(seconds[index]) >= $0 } ?? true }
            found.sort { trouble == .shuffled ? ($0 * 7) % 31 < ($1 * 7) % 31 : key($0) < key($1) }
            let cursor = list.cursor.flatMap { Int($0) }
            if trouble == .shuffled {
                found.removeFirst(cursor ?? 0)
            } else if let cursor {
                found.removeAll { key($0) <= cursor }
            }
            let shown = found.prefix(3)
            let entries = shown.map {
                EngagementPage.Entry(id: EngagementID("ngmt_\($0)")!, updatedAt: Self.time(seconds[$0]))
            }
            guard found.count > 3, let last = shown.last else { return EngagementPage(entries: entries, next: nil) }
            var next = trouble == .shuffled ? (cursor ?? 0) + 3 : key(last)
            if trouble == .repeated { next = cursor ?? next }
            if trouble == .circle, handed.count >= 2 { next = handed[0] }
            handed.append(next)
            if list.cursor == nil { handed = [next] }
            return EngagementPage(entries: entries, next: String(next))
        }

        private func key(_ index: Int) -> Int { Int(seconds[index]) * 100 + index }
    }

    /// Two engagements at most share a time, and a page holds three: so every list has an end, whatever its cursors do.
    @Test(arguments: Trouble.allCases) func everythingIsSeenAndTheWalkEnds(trouble: Trouble) throws {
        let seed = TruthSeed.draw("walks")
        var random = SeededRandom(seed: seed)
        for _ in 0..<300 {
            let count = Int.random(in: 0...30, using: &random)
            let times = (0..<count).map { _ in Int64.random(in: 0..<30, using: &random) }
            var limited: [Int64] = []
            for time in times where limited.count(where: { $0 == time }) < 2 { limited.append(time) }
            var source = Source(seconds: limited, trouble: trouble)
            var walk = ListWalk(since: nil, until: nil)
            var seen: Set<String> = []
            var next = walk.first
            var steps = 0
            while case .ask(let list) = next {
                steps += 1
                try #require(steps < 1_000, "it does not end: \(trouble) \(limited)")
                let before = walk.checkpoint
                if let page = source.page(list, &random) {
                    seen.formUnion(page.entries.map(\.id.rawValue))
                    next = walk.took(page)
                } else {
                    let again = walk.cursorRefused()
                    next = try #require(again)
                }
                if let before { #expect(walk.checkpoint! >= before) }
                // What was not seen lies behind the checkpoint, or the walk could not be broken off here.
                if let checkpoint = walk.checkpoint, trouble != .shuffled, trouble != .moving {
                    for index in limited.indices where !seen.contains("ngmt_\(index)") {
                        #expect(Source.time(limited[index]) >= checkpoint, "\(trouble) \(limited)")
                    }
                }
            }
            #expect(next == .finished, "\(trouble) \(limited)")
            #expect(seen.count == limited.count, "\(trouble) \(limited)")
        }
    }

    /// More than a page holds changed at one time, and no cursor leads past them.
    @Test func whatCannotBeWalkedIsSaid() throws {
        var random = SeededRandom(seed: 1)
        for trouble in [Trouble.repeated, .circle] {
            var source = Source(seconds: [Int64](repeating: 5, count: 12), trouble: trouble)
            var walk = ListWalk(since: nil, until: nil)
            var next = walk.first
            while case .ask(let list) = next { next = walk.took(source.page(list, &random)!) }
            #expect(next == .stuck(at: Source.time(5)))
        }
    }

    @Test func aWalkThatWasBrokenOffGoesOnALittleBefore() {
        let since = UpdateTime("2026-01-01T00:00:00Z")!
        let checkpoint = UpdateTime("2026-01-02T00:00:00.5Z")!
        let walk = ListWalk(since: since, until: nil, checkpoint: checkpoint)
        #expect(walk.first == .ask(EngagementList(from: UpdateTime("2026-01-01T23:55:00Z"))))
        let early = ListWalk(since: since, until: nil, checkpoint: UpdateTime("2026-01-01T00:01:00Z"))
        #expect(early.first == .ask(EngagementList(from: since)))
    }

    /// A cursor that was not sent cannot be what the API does not take.
    @Test func aRefusalWithoutACursorIsNotTheCursors() {
        var walk = ListWalk(since: nil, until: nil)
        let next = walk.cursorRefused()
        #expect(next == nil)
    }
}
