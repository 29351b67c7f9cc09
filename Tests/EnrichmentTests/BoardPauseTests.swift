import AskElephant
import Synchronization
import TestKit
import Testing

@testable import Enrichment

struct BoardPauseTests {
    private final class Sent: Sendable {
        let names = Mutex<[String]>([])
    }

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

    /// Under a limit new jobs could take every turn before whoever asks whether the API is there at all, for seconds.
    @Test func whatOthersWaitForHasTheFirstTurnAndWhatWasBegunTheNext() async throws {
        let board = JobBoard(concurrency: 4)
        _ = await board.rateLimited(sent: .now, after: .zero)
        let sent = Sent()
        _ = await board.admit((1...3).map { Job(id: $0, claims: 1, engagementID: "ngmt_\($0)") })
        let jobs = (1...3).map { _ in
            Task { if await board.takeNext() != nil { sent.names.withLock { $0.append("job") } } }
        }
        func waiting(_ number: Int) async throws {
            try await eventually("\(number) wait") { await board.paced.count == number }
        }
        let begun = Task { if await board.takeTurn() { sent.names.withLock { $0.append("begun") } } }
        try await waiting(1)
        let asking = Task { if await board.takeTurn(isFirst: true) { sent.names.withLock { $0.append("asking") } } }
        try await waiting(2)
        for number in 1...5 {
            await board.grant(1, from: .now, every: .zero)
            try await eventually("it is sent") { sent.names.withLock(\.count) == number }
        }
        #expect(sent.names.withLock(\.self) == ["asking", "begun", "job", "job", "job"])
        for task in jobs + [begun, asking] { await task.value }
        await board.stop()
    }

    /// The alarm that says so is late, and a sender comes by: the turn is not its.
    @Test func aTurnThatHasComeIsNoNewJobsWhileSomebodyWaits() async throws {
        let board = JobBoard(concurrency: 2)
        _ = await board.rateLimited(sent: .now, after: .zero)
        _ = await board.admit([Job(id: 1, claims: 1, engagementID: "ngmt_1")])
        let sent = Sent()
        let asking = Task { if await board.takeTurn(isFirst: true) { sent.names.withLock { $0.append("asking") } } }
        try await eventually("it waits") { await board.paced.count == 1 }
        await board.grantWithoutAWord()
        let job = Task { if await board.takeNext() != nil { sent.names.withLock { $0.append("job") } } }
        try await eventually("the sender waits") { await board.room()?[.normal] == 8 }
        await board.wakeSenders()
        try await eventually("the turn is taken") { sent.names.withLock(\.self) == ["asking"] }
        await board.grant(1, from: .now, every: .zero)
        for task in [asking, job] { await task.value }
        #expect(sent.names.withLock(\.self) == ["asking", "job"])
        await board.stop()
    }

    /// Who waits for a turn when the worker stops is told that there is none.
    @Test(.timeLimit(.minutes(1))) func whoWaitsForATurnDoesNotOutlastTheWorker() async throws {
        let board = JobBoard(concurrency: 2)
        _ = await board.rateLimited(sent: .now, after: .seconds(3_600))
        let waiting = (0..<3).map { _ in Task { await board.takeTurn() } }
        try await eventually("they wait") { await board.paced.count == 3 }
        await board.stop()
        for one in waiting { #expect(await one.value == false) }
        #expect(await board.takeTurn() == false)
    }
}

extension JobBoard {
    /// A turn that comes before anybody is woken.
    fileprivate func grantWithoutAWord() { pace.grant(1, from: .now, every: .zero) }
}
