import Glibc
import Synchronization

/// One connection through a ``FaultProxy``: a loop on a thread of its own that moves bytes both ways.
final class ProxyLink: Sendable {
    enum Command: Sendable {
        case fault(FaultProxy.Fault)
        case reset
        /// What was held may go on.
        case release
    }

    private let client: Int32
    private let server: Int32
    private let ledger: ProxyLedger
    /// A pipe that a command writes a byte to, since the loop waits in `poll`.
    private let wake: (read: Int32, write: Int32)
    private let commands = Mutex<[Command]>([])
    /// The first bytes of the client.
    private let opening = Mutex<[UInt8]>([])

    init(_ client: Int32, _ server: Int32, _ ledger: ProxyLedger) {
        (self.client, self.server, self.ledger) = (client, server, ledger)
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0, "no pipe")
        wake = (ends[0], ends[1])
        for descriptor in ends + [client, server] {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        }
    }

    deinit {
        close(wake.read)
        close(wake.write)
    }

    var isAny: Bool { true }

    func opened(with text: [UInt8]) -> Bool { opening.withLock { $0.contains(text) } }

    func command(_ command: Command) {
        commands.withLock { $0.append(command) }
        var byte: UInt8 = 1
        _ = write(wake.write, &byte, 1)
    }

    /// Returns when the connection has ended, and both its sockets are closed.
    func run() {
        var asking = ProxyLane(from: client, to: server)
        var answering = ProxyLane(from: server, to: client)
        var gate = ProxyGate(ledger)
        while !asking.isBroken, !answering.isBroken, !(asking.isFinished && answering.isFinished) {
            let hasArrivals = wait(gate, [asking, answering])
            for command in takeCommands() {
                switch command {
                case .fault(let fault): gate.set(fault)
                case .reset: return closeBoth(Loopback.closeWithReset)
                case .release: gate.release()
                }
                asking.release()
                answering.release()
            }
            guard !gate.isSilent else {
                if hasArrivals { gate.note() }
                continue
            }
            if let bytes = asking.receive() {
                note(opening: bytes)
                asking.hand(gate.request(bytes), after: gate.delay)
            }
            if let bytes = answering.receive() { answering.hand(gate.answer(bytes), after: gate.delay) }
            if !gate.isHolding { asking.send(gate.portion, pause: gate.pause) }
            answering.send(gate.portion, pause: gate.pause)
            if asking.isSending || answering.isSending { gate.noteRest() }
            switch gate.end {
            case .reset?: return closeBoth(Loopback.closeWithReset)
            case .closed? where !answering.isSending: return closeBoth(Loopback.closeInOrder)
            case .closed?, nil: break
            }
        }
        closeBoth(Loopback.closeInOrder)
    }

    // MARK: -

    /// Until something can be moved, a chunk that waits is due, or a command came; whether bytes have come.
    private func wait(_ gate: ProxyGate, _ lanes: [ProxyLane]) -> Bool {
        var descriptors = [pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0)]
        for lane in lanes where gate.isCurious && lane.wantsToRead {
            descriptors.append(pollfd(fd: lane.source, events: Int16(POLLIN), revents: 0))
        }
        let sources = 1..<descriptors.count
        var timeout: Int32 = -1
        if !gate.isSilent {
            for lane in lanes where lane.isDue && !(gate.isHolding && lane.source == client) {
                descriptors.append(pollfd(fd: lane.sink, events: Int16(POLLOUT), revents: 0))
            }
            if let next = lanes.compactMap(\.waitMilliseconds).min() { timeout = next }
        }
        _ = poll(&descriptors, nfds_t(descriptors.count), timeout)
        var bytes = [UInt8](repeating: 0, count: 64)
        _ = read(wake.read, &bytes, bytes.count)
        return descriptors[sources].contains { $0.revents != 0 }
    }

    private func takeCommands() -> [Command] {
        commands.withLock { commands in
            defer { commands = [] }
            return commands
        }
    }

    private func note(opening bytes: ArraySlice<UInt8>) {
        opening.withLock { $0 += bytes.prefix(max(0, 1_024 - $0.count)) }
    }

    private func closeBoth(_ close: (Int32) -> Void) {
        close(client)
        close(server)
    }
}
