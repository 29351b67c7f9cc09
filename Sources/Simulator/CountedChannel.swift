import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Counts connections from their acceptance to the begin of their service. NIO ends the process when one is thrown away in
/// between, as happens when a server is cancelled or its port closed; so whoever stops one waits here first.
struct CountedChannel<Served: ServerChildChannel>: ServerChildChannel {
    let served: Served
    let pending: PendingConnections

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Served.Value> {
        pending.accepted()
        let setup = served.setup(channel: channel, logger: logger)
        setup.whenFailure { [pending] _ in pending.served() }
        return setup
    }

    @concurrent
    func handle(value: Served.Value, logger: Logger) async {
        pending.served()
        await served.handle(value: value, logger: logger)
    }
}

final class PendingConnections: Sendable {
    private static let patience: Duration = .seconds(2)
    /// Looks in a row at which nothing had been accepted; each acceptance makes room for the next one from the backlog.
    private static let quietLooks = 10

    private let state = Mutex((pending: 0, total: 0))

    func accepted() {
        state.withLock { state in
            state.pending += 1
            state.total += 1
        }
    }

    func served() { state.withLock { $0.pending -= 1 } }

    /// Waits until every accepted connection is being served and none comes any more, for two seconds at most.
    func settled() async {
        let end = ContinuousClock.now + Self.patience
        var (quiet, total) = (0, -1)
        while quiet < Self.quietLooks, ContinuousClock.now < end {
            // What was accepted is known to its event loop after this.
            for loop in MultiThreadedEventLoopGroup.singleton.makeIterator() { try? await loop.submit {}.get() }
            let now = state.withLock(\.self)
            quiet = now.pending == 0 && now.total == total ? quiet + 1 : 0
            total = now.total
            try? await Task.sleep(for: .milliseconds(1))
        }
    }
}
