import Synchronization

/// What a ``FaultProxy`` and all its connections share: what was injected so far, and which answers are to get lost.
final class ProxyLedger: Sendable {
    private struct State {
        var counts: [FaultKind: Int] = [:]
        var swallows: [(left: Int, request: FaultProxy.Request)] = []
        var holds: [FaultProxy.Request] = []
    }

    private let state = Mutex(State())

    func add(_ kind: FaultKind, _ count: Int = 1) {
        guard count > 0 else { return }
        state.withLock { $0.counts[kind, default: 0] += count }
    }

    func count(_ kind: FaultKind) -> Int { state.withLock { $0.counts[kind, default: 0] } }

    var counts: [FaultKind: Int] { state.withLock(\.counts) }

    func swallow(_ count: Int, _ request: FaultProxy.Request) {
        state.withLock { $0.swallows.append((count, request)) }
    }

    func stopSwallowing() { state.withLock { $0.swallows = [] } }

    func hold(_ request: FaultProxy.Request) { state.withLock { $0.holds.append(request) } }

    func stopHolding() { state.withLock { $0.holds = [] } }

    /// Whether the bytes are a request that has to wait.
    func holds(_ bytes: ArraySlice<UInt8>) -> Bool {
        state.withLock(\.holds).contains { $0.matches(bytes) }
    }

    /// The request whose answer is to get lost, if the bytes hold it; it is one less to lose then.
    func takeSwallow(_ bytes: ArraySlice<UInt8>) -> FaultProxy.Request? {
        let requests = state.withLock { $0.swallows.map(\.request) }
        guard let index = requests.firstIndex(where: { $0.matches(bytes) }) else { return nil }
        return state.withLock { state in
            // Another connection may have taken the last one meanwhile.
            guard state.swallows.indices.contains(index) else { return nil }
            state.swallows[index].left -= 1
            let request = state.swallows[index].request
            if state.swallows[index].left == 0 { state.swallows.remove(at: index) }
            return request
        }
    }
}
