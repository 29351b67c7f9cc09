import AskElephant
import Enrichment
import TestKit
import Testing

/// The walk alone, against lists in memory that behave in every way that the contract leaves open.
@Suite struct ListWalkTests {
    /// What may be wrong with a list's cursors and order (U-15, fault 75).
    enum Trouble: CaseIterable, Sendable {
        case none
        /// No cursor is taken.
        case refused
        /// The cursor of a page is that of the page before.
        case repeated
        /// A cursor leads back, by another name each time.
        case circle
        /// A page is not in order.
        case shuffled
        /// Engagements change while the list is read.
        case moving
        /// They do, and a cursor names one of them, wherever it is by then.
        case movingByID
    }

    /// A list of times in seconds; each engagement's id is its place in it.
    private struct Source {
        var seconds: [Int64]
        let trouble: Trouble
        private var pages = 0

        init(seconds: [Int64], trouble: Trouble) { (self.seconds, self.trouble) = (seconds, trouble) }

        static func time(_ seconds: Int64) -> UpdateTime { UpdateTime(secondsSince1970: Double(seconds)) }

        /// Nil: the cursor is refused. It is the number of the last one shown, or of how many were shown.
        mutating func page(_ list: EngagementList, _ random: inout SeededRandom) -> EngagementPage? {
            pages += 1
            if trouble == .refused, list.cursor != nil { return nil }
            let isMoving = trouble == .moving || trouble == .movingByID
            if isMoving, !seconds.isEmpty, pages < 100, Int.random(in: 0..<2, using: &random) == 0 {
                seconds[Int.random(in: seconds.indices, using: &random)] = seconds.max()! + 1
            }
            var found = seconds.indices.filter { index in list.from.map { Self.time(seconds[index]) >= $0 } ?? true }
            found.sort { key($0) < key($1) }
            var cursor = list.cursor.flatMap { Int($0.split(separator: "/")[0]) }
            if trouble == .circle, pages % 2 == 0 { cursor = nil }
            if let cursor {
                switch trouble {
                case .shuffled: found.removeFirst(cursor)
                case .movingByID: found.removeAll { key($0) <= key(cursor) }
                default: found.removeAll { key($0) <= cursor }
                }
            }
            let shown = found.prefix(3)
            let entries = (trouble == .shuffled ? shown.reversed() : Array(shown)).map {
                EngagementPage.Entry(id: EngagementID("ngmt_\($0)")!, updatedAt: Self.time(seconds[$0]))
            }
            guard found.count > 3, let last = shown.last else {
                return EngagementPage(entries: entries, hasMore: false, next: nil)
            }
            let next =
                switch trouble {
                case .shuffled: (cursor ?? 0) + 3
                case .movingByID: last
                case .repeated: cursor ?? key(last)
                default: key(last)
                }
            return EngagementPage(entries: entries, hasMore: true, next: "\(next)/\(trouble == .circle ? pages : 0)")
        }

        private func key(_ index: Int) -> Int { Int(seconds[index]) * 100 + index }
    }

    /// Two engagements at most share a time, and a page holds three: so time always leads on, whatever cursors do.
    @Test(arguments: Trouble.allCases) func everythingIsSeenAndTheWalkEnds(trouble: Trouble) throws {
        var random = SeededRandom(seed: TruthSeed.draw("walks"))
        for _ in 0..<300 {
            let count = Int.random(in: 0...30, using: &random)
            var times: [Int64] = []
            for _ in 0..<count {
                let time = Int64.random(in: 0..<30, using: &random)
                if times.count(where: { $0 == time }) < 2 { times.append(time) }
            }
            let end = try Self.walk(times, trouble, &random)
            #expect(end.next == .finished, "\(trouble) \(times)")
            #expect(end.seen.count == times.count, "\(trouble) \(times)")
            // What was seen before and is listed once more is not handed out again, but for one that moved.
            if trouble != .moving, trouble != .movingByID { #expect(end.handed == times.count, "\(trouble) \(times)") }
        }
    }

    /// Many share a time: cursors lead on, or it is said that none does.
    @Test(
        arguments: [
            (.none, true), (.shuffled, true), (.refused, false), (.repeated, false), (.circle, false),
        ] as [(Trouble, Bool)])
    func atOneTimeOnlyCursorsLeadOn(trouble: Trouble, leadsOn: Bool) throws {
        var random = SeededRandom(seed: TruthSeed.draw("walks at one time"))
        let end = try Self.walk([1, 2] + [Int64](repeating: 5, count: 12) + [6, 7], trouble, &random)
        #expect(end.next == (leadsOn ? .finished : .stuck(at: Source.time(5))))
        #expect(!leadsOn || end.seen.count == 16)
    }

    /// Out of order and with cursors that are refused: it ends where it can go no further, and nothing counts as seen that was not.
    @Test func aDisorderedListIsNotBelieved() throws {
        var random = SeededRandom(seed: 1)
        var source = Source(seconds: (0..<20).map(Int64.init), trouble: .shuffled)
        var walk = ListWalk(since: nil, until: nil)
        guard case .ask(let list) = walk.next, let page = source.page(list, &random) else { return }
        _ = walk.took(page)
        #expect(walk.checkpoint == nil)
        #expect(walk.cursorRefused() == .stuck(at: nil))
    }

    private static func walk(
        _ times: [Int64], _ trouble: Trouble, _ random: inout SeededRandom
    ) throws -> (next: ListWalk.Next, seen: Set<String>, handed: Int) {
        var source = Source(seconds: times, trouble: trouble)
        var walk = ListWalk(since: nil, until: nil)
        var seen: Set<String> = []
        var handed = 0
        var next = walk.next
        var steps = 0
        while case .ask(let list) = next {
            steps += 1
            try #require(steps < 1_000, "it does not end: \(trouble) \(times)")
            let before = walk.checkpoint
            guard let page = source.page(list, &random) else {
                let refused = walk.cursorRefused()
                next = try #require(refused)
                continue
            }
            let (new, after) = walk.took(page)
            seen.formUnion(new.map(\.id.rawValue))
            handed += new.count
            next = after
            if let before { #expect(walk.checkpoint! >= before) }
            // What was not seen lies at the checkpoint or behind it, or the walk could not be broken off here.
            if let checkpoint = walk.checkpoint {
                for index in times.indices where !seen.contains("ngmt_\(index)") {
                    #expect(Source.time(source.seconds[index]) >= checkpoint, "\(trouble) \(times)")
                }
            }
        }
        return (next, seen, handed)
    }

    @Test func aWalkThatWasBrokenOffGoesOnALittleBefore() {
        let since = UpdateTime("2026-01-01T00:00:00Z")!
        let walk = ListWalk(since: since, until: nil, checkpoint: UpdateTime("2026-01-02T00:00:00.5Z"))
        #expect(walk.next == .ask(EngagementList(from: UpdateTime("2026-01-01T23:55:00Z"))))
        let early = ListWalk(since: since, until: nil, checkpoint: UpdateTime("2026-01-01T00:01:00Z"))
        #expect(early.next == .ask(EngagementList(from: since)))
    }

    /// A cursor that was not sent cannot be what the API does not take.
    @Test func aRefusalWithoutACursorIsNotTheCursors() {
        #expect(ListWalk(since: nil, until: nil).cursorRefused() == nil)
    }
}
