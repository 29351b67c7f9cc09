import Synchronization
import TestKit
import Testing

@testable import Enrichment

struct SharedQuestionTests {
    /// A question whose answer is the number of times that it was asked.
    private final class Counted: Sendable {
        private let question = SharedQuestion<Int>()
        private let count = Mutex(0)
        private let (gate, opener) = AsyncStream<Void>.makeStream()

        var timesAsked: Int { count.withLock(\.self) }

        func open() { opener.finish() }

        enum Wait { case forItsTurn, forItsAnswer }

        /// So many who want to know, and know nothing yet unless the gate is open.
        func start(_ number: Int, waits: Wait) async throws -> [Task<Int, Never>] {
            let before = await question.waiting
            let all = (0..<number).map { _ in
                Task {
                    let now = ContinuousClock.now
                    return await question.value {
                        if waits == .forItsTurn { for await _ in self.gate {} }
                        let asked = ContinuousClock.now
                        let number = self.count.withLock {
                            $0 += 1
                            return $0
                        }
                        if waits == .forItsAnswer { for await _ in self.gate {} }
                        return .init(asked: asked, value: number)
                    } isOfUse: {
                        $0.asked > now
                    }
                }
            }
            try await eventually("they wait") { await question.waiting == before + number }
            return all
        }
    }

    /// What came to pass while the question waited was before it: for many, that is many seconds.
    @Test func whileItWaitsForItsTurnAllHaveItsAnswer() async throws {
        let counted = Counted()
        let all = try await counted.start(10, waits: .forItsTurn)
        counted.open()
        for one in all { #expect(await one.value == 1) }
        #expect(counted.timesAsked == 1)
    }

    /// It is out when something comes to pass: its answer may be of before.
    @Test func whatWasAskedBeforeIsAskedAnew() async throws {
        let counted = Counted()
        let first = try await counted.start(1, waits: .forItsAnswer)[0]
        try await eventually("it is asked") { counted.timesAsked == 1 }
        let others = try await counted.start(10, waits: .forItsAnswer)
        counted.open()
        #expect(await first.value == 1)
        for one in others { #expect(await one.value > 1) }
    }

    @Test func whoIsCancelledEndsItForAll() async throws {
        let counted = Counted()
        let waiting = try await counted.start(2, waits: .forItsTurn)
        waiting[0].cancel()
        for one in waiting { #expect(await one.value == 1) }
    }
}
