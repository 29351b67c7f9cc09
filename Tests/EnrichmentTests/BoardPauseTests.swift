import AskElephant
import Synchronization
import TestKit
import Testing

@testable import Enrichment

struct BoardPauseTests {
    /// A sender waits for turns; instead of turns the governor hears of a pause that another worker met. After it nobody rings,
    /// no answer comes, nothing is claimed: the sender has to ask for turns by itself.
    @Test func aPauseInsteadOfTurnsIsNotTheEnd() async throws {
        let board = JobBoard(concurrency: 2)
        _ = await board.rateLimited(sent: .now, after: .zero)
        _ = await board.admit([Job(id: 1, claims: 1, engagementID: "ngmt_1")])
        let sent = Mutex(false)
        let sender = Task {
            _ = await board.takeNext()
            sent.withLock { $0 = true }
        }
        #expect(await board.turnsNeeded() == .turns)
        // Seven without a free sender.
        try await eventually("the sender waits") { await board.room()?[.normal] == 8 }
        _ = await board.heardOfLimit(at: .now, pausedUntil: .now + .milliseconds(100))
        let governor = Task {
            guard await board.turnsNeeded() != nil else { return }
            await board.grant(1, from: .now, every: .zero)
        }
        try await eventually(within: .seconds(5), "the request is sent") { sent.withLock(\.self) }
        await board.stop()
        await sender.value
        await governor.value
    }
}
