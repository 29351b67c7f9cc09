import Glibc

/// Sockets on 127.0.0.1.
package enum Loopback {
    package struct Failure: Error {
        let call: StaticString
        let code = errno
    }

    /// - Parameter backlog: how many connections may wait to be accepted; the system lets in one more.
    package static func listen(backlog: Int32 = 128) throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(call: "socket") }
        var address = address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withSocketAddress(&address) { bind(descriptor, $0, length) == 0 }
        guard isBound, Glibc.listen(descriptor, backlog) == 0 else { throw Failure(call: "listen") }
        _ = withSocketAddress(&address) { getsockname(descriptor, $0, &length) }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    /// A port that nobody listens on: one that was free just now.
    package static func closedPort() throws -> UInt16 {
        let (descriptor, port) = try listen()
        close(descriptor)
        return port
    }

    /// A port below those that the system gives to clients, which nobody listens on.
    package static func unusedPort(in range: Range<UInt16>) -> UInt16 {
        while true {
            let port = UInt16.random(in: range)
            guard let taken = connect(port) else { return port }
            close(taken)
        }
    }

    package static func connect(_ port: UInt16) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = address(port)
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        if withSocketAddress(&address, { Glibc.connect(descriptor, $0, length) == 0 }) { return descriptor }
        close(descriptor)
        return nil
    }

    /// Dissolving the association sends a reset at once (tcp(7)), even if a child process has inherited the descriptor.
    package static func closeWithReset(_ descriptor: Int32) {
        var nobody = sockaddr()
        nobody.sa_family = sa_family_t(AF_UNSPEC)
        _ = Glibc.connect(descriptor, &nobody, socklen_t(MemoryLayout<sockaddr>.size))
        close(descriptor)
    }

    package static func closeInOrder(_ descriptor: Int32) {
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
package func startThread(_ work: @escaping @Sendable () -> Void) {
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
