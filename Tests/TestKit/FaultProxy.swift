import Glibc
import Synchronization

/// A TCP proxy on loopback that does to its connections what networks do: silence, delay, reset.
package final class FaultProxy: Sendable {
    package enum Fault: Sendable, Equatable {
        case none
        /// Both sides stay connected and nothing arrives any more. What was sent meanwhile arrives once it ends.
        case blackhole
        /// Whatever is read goes on after this.
        case delay(Duration)
    }

    /// The port to connect to instead of the real one.
    package let port: UInt16
    private let target: UInt16
    private let listener: Int32
    private let state = Mutex(State())

    private struct State {
        var fault = Fault.none
        var links: [ObjectIdentifier: ProxyLink] = [:]
        var isStopped = false
    }

    /// - Parameter target: a port on 127.0.0.1.
    package init(to target: UInt16) throws {
        self.target = target
        (listener, port) = try Loopback.listen()
        startThread { [self] in accept() }
    }

    /// For the connections that there are and those that come.
    package func set(_ fault: Fault) {
        let links = state.withLock { state in
            state.fault = fault
            return Array(state.links.values)
        }
        for link in links { link.command(.fault(fault)) }
    }

    /// Ends every open connection by a reset, on both sides.
    package func reset() {
        for link in state.withLock({ Array($0.links.values) }) { link.command(.reset) }
    }

    package var connectionCount: Int { state.withLock { $0.links.count } }

    /// Takes no more connections and resets those that there are.
    package func stop() {
        state.withLock { $0.isStopped = true }
        // Wakes the thread that accepts; it closes the descriptor.
        _ = shutdown(listener, Int32(SHUT_RDWR))
        reset()
    }

    // MARK: -

    private func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            if state.withLock(\.isStopped) {
                if client >= 0 { close(client) }
                break
            }
            guard client >= 0 else { continue }
            _ = fcntl(client, F_SETFD, FD_CLOEXEC)
            guard let server = Loopback.connect(target) else {
                Loopback.closeWithReset(client)
                continue
            }
            start(ProxyLink(client, server))
        }
        close(listener)
    }

    private func start(_ link: ProxyLink) {
        let fault = state.withLock { state in
            state.links[ObjectIdentifier(link)] = link
            return state.fault
        }
        link.command(.fault(fault))
        startThread { [self] in
            link.run()
            _ = state.withLock { $0.links.removeValue(forKey: ObjectIdentifier(link)) }
        }
    }
}

/// Sockets on 127.0.0.1.
enum Loopback {
    struct Failure: Error {
        let call: StaticString
        let code = errno
    }

    static func listen() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(call: "socket") }
        var address = address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withSocketAddress(&address) { bind(descriptor, $0, length) == 0 }
        guard isBound, Glibc.listen(descriptor, 128) == 0 else { throw Failure(call: "listen") }
        _ = withSocketAddress(&address) { getsockname(descriptor, $0, &length) }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    /// A port that nobody listens on: one that was free just now.
    static func closedPort() throws -> UInt16 {
        let (descriptor, port) = try listen()
        close(descriptor)
        return port
    }

    static func connect(_ port: UInt16) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = address(port)
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        if withSocketAddress(&address, { Glibc.connect(descriptor, $0, length) == 0 }) { return descriptor }
        close(descriptor)
        return nil
    }

    /// Dissolving the association sends a reset at once (tcp(7)), even if a child process has inherited the descriptor.
    static func closeWithReset(_ descriptor: Int32) {
        var nobody = sockaddr()
        nobody.sa_family = sa_family_t(AF_UNSPEC)
        _ = Glibc.connect(descriptor, &nobody, socklen_t(MemoryLayout<sockaddr>.size))
        close(descriptor)
    }

    static func closeInOrder(_ descriptor: Int32) {
        _ = shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private static func withSocketAddress<Result>(
        _ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>) -> Result
    ) -> Result {
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
        }
    }
}

package func closedLoopbackPort() throws -> UInt16 { try Loopback.closedPort() }

/// Runs the work on a thread of its own, since it blocks.
func startThread(_ work: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
        let work: @Sendable () -> Void
        init(_ work: @escaping @Sendable () -> Void) { self.work = work }
    }
    var thread = pthread_t()
    let context = Unmanaged.passRetained(Box(work)).toOpaque()
    let status = pthread_create(
        &thread, nil,
        { context in
            Unmanaged<Box>.fromOpaque(context!).takeRetainedValue().work()
            return nil
        }, context)
    precondition(status == 0, "no thread")
    pthread_detach(thread)
}
