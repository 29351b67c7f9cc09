import Synchronization
import Testing

@testable import AskElephant

@Suite(.timeLimit(.minutes(1))) struct ByteBudgetTests {
    private static let entry = ByteBudget.entryBytes

    @Test func reservationIsGivenBackOnceByReleaseOrWhenForgotten() async throws {
        let budget = ByteBudget(total: 2 * Self.entry)
        var reservation: Reservation? = try await budget.reserve()
        #expect(budget.reservedBytes == Self.entry)
        reservation?.release()
        reservation?.release()
        #expect(budget.reservedBytes == 0)
        reservation = try await budget.reserve()
        #expect(budget.reservedBytes == Self.entry)
        reservation = nil
        #expect(budget.reservedBytes == 0)
    }

    @Test func requestWaitsUntilBytesAreReleased() async throws {
        let budget = ByteBudget(total: Self.entry)
        let first = try await budget.reserve()
        let second = Task { try await budget.reserve() }
        await budget.waitUntil(waiting: 1)
        first.release()
        let reservation = try await second.value
        #expect(budget.reservedBytes == Self.entry)
        reservation.release()
    }

    @Test func cancelledWaitTakesNothingAndBlocksNobody() async throws {
        let budget = ByteBudget(total: Self.entry)
        let first = try await budget.reserve()
        let cancelled = Task { try await budget.reserve() }
        await budget.waitUntil(waiting: 1)
        let third = Task { try await budget.reserve() }
        await budget.waitUntil(waiting: 2)
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        first.release()
        try await third.value.release()
        #expect(budget.reservedBytes == 0)
        #expect(budget.waiting == 0)
    }

    @Test func cancelledTaskReservesNothingEvenIfBytesAreFree() async throws {
        let budget = ByteBudget(total: Self.entry)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await budget.reserve()
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(budget.reservedBytes == 0)
    }

    @Test func growingBeyondTheBudgetIsForOneAtATime() async throws {
        let budget = ByteBudget(total: 2 * Self.entry, largestBody: 10 * Self.entry)
        let one = try await budget.reserve()
        let two = try await budget.reserve()
        try await one.grow(to: 10 * Self.entry)
        let waiting = Task { try await two.grow(to: 5 * Self.entry) }
        await budget.waitUntil(waiting: 1)
        #expect(budget.reservedBytes == 11 * Self.entry)
        one.release()
        try await waiting.value
        #expect(budget.reservedBytes == 5 * Self.entry)
        two.release()
    }

    @Test func cancelledGrowthKeepsWhatItHad() async throws {
        let budget = ByteBudget(total: 2 * Self.entry, largestBody: 10 * Self.entry)
        let one = try await budget.reserve()
        let two = try await budget.reserve()
        try await one.grow(to: 3 * Self.entry)
        let waiting = Task { try await two.grow(to: 5 * Self.entry) }
        await budget.waitUntil(waiting: 1)
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        #expect(budget.reservedBytes == 4 * Self.entry)
        one.release()
        two.release()
        #expect(budget.reservedBytes == 0)
    }

    /// Many tasks on all threads, sizes and cancellations by the seed: all end, nothing stays reserved, and the bound
    /// holds whenever somebody looks.
    @Test(arguments: [UInt64](1...10)) func manyTasksShareABudget(seed: UInt64) async {
        let largest = 8 * Self.entry
        let budget = ByteBudget(total: 4 * Self.entry, largestBody: largest)
        let peak = Peak()
        var random = SeededRandom(seed: seed)
        await withDiscardingTaskGroup { group in
            for _ in 0..<300 {
                let size = random.chance(30) ? Int.random(in: 1...largest, using: &random) : 10_000
                let isCancelled = random.chance(20)
                group.addTask {
                    let task = Task { try await Self.use(budget, size, peak) }
                    if isCancelled { task.cancel() }
                    _ = await task.result
                }
            }
        }
        #expect(peak.bytes > 0, "seed \(seed)")
        #expect(peak.bytes <= 4 * Self.entry + largest, "seed \(seed)")
        #expect(budget.reservedBytes == 0, "seed \(seed)")
        #expect(budget.waiting == 0, "seed \(seed)")
    }

    private static func use(_ budget: ByteBudget, _ size: Int, _ peak: Peak) async throws {
        let reservation = try await budget.reserve()
        try await reservation.grow(to: size)
        await Task.yield()
        peak.note(budget.reservedBytes)
        reservation.shrink(to: size)
        reservation.release()
    }
}

/// The most bytes that anybody saw reserved.
private final class Peak: Sendable {
    private let value = Mutex(0)

    var bytes: Int { value.withLock { $0 } }

    func note(_ bytes: Int) {
        value.withLock { $0 = max($0, bytes) }
    }
}

extension ByteBudget {
    func waitUntil(waiting count: Int) async {
        while waiting < count { await Task.yield() }
    }
}
