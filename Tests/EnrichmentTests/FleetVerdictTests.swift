import Enrichment
import Testing

/// What "status" says first.
struct FleetVerdictTests {
    private typealias Worker = FleetVerdict.WorkerFacts

    private func verdict(_ change: (inout FleetVerdict.Facts) -> Void) -> FleetVerdict {
        var facts = FleetVerdict.Facts()
        facts.workers = [Worker()]
        change(&facts)
        return FleetVerdict(facts)
    }

    @Test func eachTroubleHasItsWordAndItsNextStep() {
        let cases: [(FleetVerdict.Word, (inout FleetVerdict.Facts) -> Void)] = [
            (.healthy, { _ in }),
            (.healthy, { $0.due = 5 }),
            (.healthy, { ($0.due, $0.oldestDueSeconds) = (5, 60) }),
            (.behind, { ($0.due, $0.oldestDueSeconds) = (5, 60.1) }),
            // Nothing is due: an age says nothing.
            (.healthy, { ($0.due, $0.oldestDueSeconds) = (0, 600) }),
            (.stopped, { $0.workers = [] }),
            (.stopped, { $0.workers = [Worker(isAlive: false)] }),
            (.stuck, { $0.workers = [Worker(heartbeatAge: 61)] }),
            (.healthy, { $0.workers = [Worker(heartbeatAge: 61), Worker(heartbeatAge: 3)] }),
            (.healthy, { $0.workers = [Worker(verdict: nil, heartbeatAge: 0)] }),
            (.healthy, { $0.workers = [Worker(verdict: nil, heartbeatAge: 1_000)] }),
            (.blocked, { $0.workers = [Worker(verdict: .blocked, why: "x")] }),
            (.healthy, { $0.workers = [Worker(verdict: .blocked, why: "x"), Worker()] }),
            (.blocked, { $0.workers = [Worker(verdict: .blocked), Worker(isAlive: false)] }),
            // Who has said nothing yet does not make it less so.
            (.blocked, { $0.workers = [Worker(verdict: .blocked, why: "x"), Worker(verdict: nil, heartbeatAge: 3)] }),
            (.paused, { $0.isPaused = true }),
            (.paused, { ($0.isPaused, $0.workers) = (true, []) }),
        ]
        for (number, (word, change)) in cases.enumerated() {
            let found = verdict(change)
            #expect(found.word == word, "case \(number)")
            #expect((found.next == nil) == (word == .healthy), "case \(number)")
            #expect((found.why == nil) == (word == .healthy), "case \(number)")
        }
    }

    @Test func itSaysWhyInTheWorkersOwnWords() {
        #expect(
            verdict { $0.workers = [Worker(verdict: .blocked, why: "the API does not serve")] }.why
                == "the API does not serve")
        #expect(verdict { ($0.isPaused, $0.pausedBy) = (true, "jo") }.why == "by jo")
        for (seconds, span) in [(0.4, "0.4 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (200_000, "2 d")] {
            let paused = verdict { ($0.isPaused, $0.pausedBy, $0.pausedSeconds) = (true, "jo", seconds) }
            #expect(paused.why == "by jo, for \(span)")
        }
        #expect(
            verdict { ($0.due, $0.oldestDueSeconds, $0.workers) = (1, 90, [Worker(limitedBy: .database)]) }.why
                == "limited by the database")
    }

    @Test func whatIsNotWholeIsNoted() {
        #expect(verdict { _ in }.notes.isEmpty)
        let all = verdict {
            $0.workers = [
                Worker(), Worker(verdict: .blocked, why: "w"), Worker(isAlive: false),
                Worker(verdict: nil, heartbeatAge: 61), Worker(verdict: nil, heartbeatAge: 3),
            ]
            $0.deadToday = 10_001
            $0.deniedParts = ["contacts", "tags"]
        }
        #expect(
            all.notes.map(\.text) == [
                "1 of 4 workers blocked: w",
                "1 worker of which nothing is known: of an older version, or without a right",
                "1 worker gone without a word", "10,000+ dead letters since yesterday",
                "not readable: contacts, tags",
            ])
        #expect(all.notes.allSatisfy { !$0.next.isEmpty })
        let hanging = verdict { $0.workers = [Worker(), Worker(heartbeatAge: 3_600), Worker(heartbeatAge: 61)] }
        #expect(hanging.notes.map(\.text) == ["2 of 3 workers said nothing for 60 min"])
        // That is the verdict, and no note beside it.
        #expect(verdict { $0.workers = [Worker(heartbeatAge: 3_600)] }.notes.isEmpty)
    }
}
