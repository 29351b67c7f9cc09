import Glibc
import Synchronization

/// One connection through a ``FaultProxy``: a loop on a thread of its own that moves bytes both ways.
final class ProxyLink: Sendable {
    enum Command: Sendable {
        case fault(FaultProxy.Fault)
        case reset
    }

    private let client: Int32
    private let server: Int32
    /// A pipe that a command writes a byte to, since the loop waits in `poll`.
    private let wake: (read: Int32, write: Int32)
    private let commands = Mutex<[Command]>([])

    init(_ client: Int32, _ server: Int32) {
        (self.client, self.server) = (client, server)
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

    func command(_ command: Command) {
        commands.withLock { $0.append(command) }
        var byte: UInt8 = 1
        _ = write(wake.write, &byte, 1)
    }

    /// Returns when the connection has ended, and both its sockets are closed.
    func run() {
        var fault = FaultProxy.Fault.none
        var lanes = [ProxyLane(from: client, to: server), ProxyLane(from: server, to: client)]
        while !lanes.contains(where: \.isBroken), !lanes.allSatisfy(\.isFinished) {
            wait(fault, lanes)
            for command in takeCommands() {
                guard case .fault(let new) = command else { return closeBoth(Loopback.closeWithReset) }
                fault = new
            }
            guard fault != .blackhole else { continue }
            for index in lanes.indices { lanes[index].move(fault) }
        }
        closeBoth(Loopback.closeInOrder)
    }

    // MARK: -

    /// Until something can be moved, a delayed chunk is due, or a command came.
    private func wait(_ fault: FaultProxy.Fault, _ lanes: [ProxyLane]) {
        var descriptors = [pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0)]
        var timeout: Int32 = -1
        if fault != .blackhole {
            for lane in lanes {
                if lane.wantsToRead { descriptors.append(pollfd(fd: lane.source, events: Int16(POLLIN), revents: 0)) }
                if lane.isDue { descriptors.append(pollfd(fd: lane.sink, events: Int16(POLLOUT), revents: 0)) }
            }
            if let next = lanes.compactMap(\.waitMilliseconds).min() { timeout = next }
        }
        _ = poll(&descriptors, nfds_t(descriptors.count), timeout)
        var bytes = [UInt8](repeating: 0, count: 64)
        _ = read(wake.read, &bytes, bytes.count)
    }

    private func takeCommands() -> [Command] {
        commands.withLock { commands in
            defer { commands = [] }
            return commands
        }
    }

    private func closeBoth(_ close: (Int32) -> Void) {
        close(client)
        close(server)
    }
}

/// One direction of a connection: at most one chunk is on its way.
private struct ProxyLane {
    let source: Int32
    let sink: Int32
    private var pending: ArraySlice<UInt8> = []
    private var dueAt = ContinuousClock.now
    private(set) var isBroken = false
    /// The source sent its last byte, and the sink was told so.
    private(set) var isFinished = false

    init(from source: Int32, to sink: Int32) {
        (self.source, self.sink) = (source, sink)
    }

    var wantsToRead: Bool { pending.isEmpty && !isFinished }
    var isDue: Bool { !pending.isEmpty && ContinuousClock.now >= dueAt }

    /// How long a delayed chunk still waits; nil when none does.
    var waitMilliseconds: Int32? {
        guard !pending.isEmpty, !isDue else { return nil }
        return Int32(((dueAt - .now) / .milliseconds(1)).rounded(.up))
    }

    mutating func move(_ fault: FaultProxy.Fault) {
        if wantsToRead { receive(fault) }
        if isDue { send() }
    }

    private mutating func receive(_ fault: FaultProxy.Fault) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(source, &buffer, buffer.count, 0)
        if count > 0 {
            pending = buffer[..<count]
            if case .delay(let delay) = fault { dueAt = .now + delay }
        } else if count == 0 {
            isFinished = true
            _ = shutdown(sink, Int32(SHUT_WR))
        } else if errno != EAGAIN && errno != EINTR {
            isBroken = true
        }
    }

    private mutating func send() {
        let count = pending.withUnsafeBytes { Glibc.send(sink, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        if count > 0 {
            pending = pending.dropFirst(count)
        } else if errno != EAGAIN && errno != EINTR {
            isBroken = true
        }
    }
}
