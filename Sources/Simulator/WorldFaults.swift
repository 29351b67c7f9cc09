import Synchronization

/// Answers that have nothing to do with the truth, and delays.
extension World {
    /// Any request for the id gets this answer before every other rule, credentials included.
    ///
    /// - Parameter times: how often; `nil`: until `clearOverride`.
    package func override(_ id: String, _ response: SimResponse, times: Int? = nil) {
        state.withLock { $0.overrides[id] = Override(answer: .response(response), remaining: times) }
    }

    /// The same for every request that has no override of its own.
    package func overrideAll(_ response: SimResponse, times: Int? = nil) {
        state.withLock { $0.overrideOfAll = Override(answer: .response(response), remaining: times) }
    }

    /// Any request for the id meets this fault before every other rule, as by `override`; `nil` for the id: every
    /// request that has no override of its own. The fault `none` clears what was set before.
    package func setFault(_ fault: Switches.Fault, of id: String? = nil, times: Int? = nil) {
        let override = fault == .none ? nil : Override(answer: .fault(fault), remaining: times)
        state.withLock { state in
            if let id { state.overrides[id] = override } else { state.overrideOfAll = override }
        }
    }

    package func clearOverride(_ id: String) {
        state.withLock { $0.overrides[id] = nil }
    }

    package func clearOverrideOfAll() {
        state.withLock { $0.overrideOfAll = nil }
    }

    /// Answers 429 to what exceeds it; `nil` takes the limit away. `Retry-After` says one second.
    package func setRateLimit(perSecond: Int?, _ kind: RateLimit.Kind = .window) {
        state.withLock { $0.rate = RateLimit(perSecond: perSecond, kind) }
    }

    /// Every answer waits for this.
    package func setLatency(_ latency: Duration) {
        state.withLock { $0.latency = latency }
    }

    /// Answers about this id wait for this instead; `nil`: as all others.
    package func setLatency(_ id: String, _ latency: Duration?) {
        state.withLock { $0.latencies[id] = latency }
    }

    /// Requests for the id are answered once released, with what was true when they arrived.
    package func hold(_ id: String) {
        state.withLock { _ = $0.held.insert(id) }
    }

    package func releaseHold(_ id: String) {
        change { _ = $0.held.remove(id) }
    }
}

/// A set answer, and how often it is still given.
struct Override: Sendable {
    enum Answer: Sendable {
        case response(SimResponse)
        case fault(Switches.Fault)
    }

    let answer: Answer
    var remaining: Int?

    /// - Returns: the answer, or `nil` once used up.
    mutating func take() -> Answer? {
        guard let left = remaining else { return answer }
        guard left > 0 else { return nil }
        remaining = left - 1
        return answer
    }
}

/// How many requests are let through.
package struct RateLimit: Sendable {
    package enum Kind: Sendable {
        /// So many in each second, the first of which begins with a request.
        case window
        /// So many in store at first and at most; each second brings as many.
        case bucket
    }

    var perSecond: Int?
    private let kind: Kind
    private var since: ContinuousClock.Instant?
    /// Used in this window, or missing from the bucket.
    private var used = 0.0

    init(perSecond: Int? = nil, _ kind: Kind = .window) {
        self.perSecond = perSecond
        self.kind = kind
    }

    mutating func allowsOneMore(now: ContinuousClock.Instant = .now) -> Bool {
        guard let perSecond else { return true }
        let passed = since.map { (now - $0) / .seconds(1) } ?? 1
        switch kind {
        case .window where passed >= 1: (since, used) = (now, 0)
        case .window: break
        case .bucket: (since, used) = (now, max(0, used - passed * Double(perSecond)))
        }
        guard used + 1 <= Double(perSecond) else { return false }
        used += 1
        return true
    }
}
