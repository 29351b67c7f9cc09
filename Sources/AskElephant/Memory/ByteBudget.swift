import Synchronization

/// The memory for the bodies of all requests. Bounded by bytes, not by requests, since a body may have 8 KB or 32 MB.
///
/// At most `total + largestBody` bytes are reserved at any time, see ``ByteLedger``.
package final class ByteBudget: Sendable {
    /// What each request reserves before it is sent. Nearly every body fits.
    package static let entryBytes = 256 * 1024

    private struct State {
        var ledger: ByteLedger
        var lastHolder: ByteLedger.Holder = 0
        var continuations: [ByteLedger.Holder: CheckedContinuation<Bool, Never>] = [:]
    }

    private let state: Mutex<State>

    /// - Parameters:
    ///   - total: bytes for all requests together; at least one entry is always admitted.
    ///   - largestBody: the client's `maxBodyBytes`; it is a defect to ask for more.
    package init(total: Int, largestBody: Int) {
        let entry = Self.entryBytes
        let ledger = ByteLedger(total: max(total, entry), entry: entry, largest: max(largestBody, entry))
        state = Mutex(State(ledger: ledger))
    }

    /// Reserves the bytes of one request, waiting in order of arrival until there are as many.
    package func reserve() async throws(CancellationError) -> Reservation {
        guard !Task.isCancelled else { throw CancellationError() }
        let (holder, isServed) = state.withLock { state in
            state.lastHolder += 1
            return (state.lastHolder, state.ledger.admitsAtOnce && state.ledger.enter(state.lastHolder))
        }
        let reservation = Reservation(self, holder)
        if !isServed {
            guard await wait(holder, { $0.enter(holder) }) else { throw CancellationError() }
        }
        return reservation
    }

    /// What is reserved at the moment, in bytes.
    package var reservedBytes: Int {
        state.withLock { $0.ledger.held.values.reduce(0, +) }
    }

    /// How many tasks wait for memory at the moment.
    package var waiting: Int {
        state.withLock { $0.ledger.waiting }
    }

    fileprivate func grow(_ holder: ByteLedger.Holder, to bytes: Int) async -> Bool {
        await wait(holder) { $0.grow(holder, to: bytes) }
    }

    fileprivate func shrink(_ holder: ByteLedger.Holder, to bytes: Int) {
        change { $0.shrink(holder, to: bytes) }
    }

    fileprivate func leave(_ holder: ByteLedger.Holder) {
        change { $0.leave(holder) }
    }

    /// Asks the ledger and waits if need be. False when the task was cancelled meanwhile; then nothing was taken.
    private func wait(
        _ holder: ByteLedger.Holder, _ ask: @Sendable (inout ByteLedger) -> Bool
    ) async -> Bool {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    // The handler below may have run already, and found nobody to wake.
                    if Task.isCancelled { return false }
                    if ask(&state.ledger) { return true }
                    state.continuations[holder] = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            stopWaiting(holder)
        }
    }

    /// Forgetting the wait and taking the continuation are one step, or the bytes could come in between.
    private func stopWaiting(_ holder: ByteLedger.Holder) {
        let (cancelled, served) = state.withLock { state in
            let cancelled = state.continuations.removeValue(forKey: holder)
            let served = cancelled == nil ? [] : state.ledger.stopWaiting(holder)
            return (cancelled, served.compactMap { state.continuations.removeValue(forKey: $0) })
        }
        for continuation in served { continuation.resume(returning: true) }
        cancelled?.resume(returning: false)
    }

    private func change(_ body: (inout ByteLedger) -> [ByteLedger.Holder]) {
        let served = state.withLock { state in
            body(&state.ledger).compactMap { state.continuations.removeValue(forKey: $0) }
        }
        for continuation in served { continuation.resume(returning: true) }
    }
}

/// Bytes of a ``ByteBudget`` that one request and then its document take. Given back by ``release()``, or at the latest
/// when nobody refers to it any more.
package final class Reservation: Sendable {
    private let budget: ByteBudget
    private let holder: ByteLedger.Holder

    fileprivate init(_ budget: ByteBudget, _ holder: ByteLedger.Holder) {
        self.budget = budget
        self.holder = holder
    }

    deinit {
        budget.leave(holder)
    }

    /// Gives everything back. May be called more than once, but not while ``grow(to:)`` waits.
    package func release() {
        budget.leave(holder)
    }

    /// Has at least `bytes` reserved, waiting if need be.
    func grow(to bytes: Int) async throws(CancellationError) {
        guard await budget.grow(holder, to: bytes) else { throw CancellationError() }
    }

    /// Gives back what is above `bytes`.
    func shrink(to bytes: Int) {
        budget.shrink(holder, to: bytes)
    }
}
