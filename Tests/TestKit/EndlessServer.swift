import Glibc
import Synchronization

/// A server on loopback whose every answer is a body of so many bytes, made while it is sent.
package final class EndlessServer: Sendable {
    package let port: UInt16
    private let listener: Int32
    private let head: String
    private let size: Int
    private let sent = Mutex(0)
    private let isStopped = Mutex(false)

    /// - Parameters:
    ///   - size: of each body in bytes.
    ///   - isAnnounced: the answer says so beforehand; else its end is the end of the connection.
    package init(size: Int, isAnnounced: Bool) throws {
        (listener, port) = try Loopback.listen()
        self.size = size
        head =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            + (isAnnounced ? "Content-Length: \(size)\r\n\r\n" : "Connection: close\r\n\r\n")
        startThread { [self] in accept() }
    }

    /// How many answers were begun.
    package var answers: Int { sent.withLock(\.self) }

    package func stop() {
        isStopped.withLock { $0 = true }
        _ = shutdown(listener, Int32(SHUT_RDWR))
    }

    private func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            guard client >= 0, !isStopped.withLock(\.self) else { break }
            _ = fcntl(client, F_SETFD, FD_CLOEXEC)
            startThread { [self] in answer(client) }
        }
        close(listener)
    }

    private func answer(_ client: Int32) {
        defer { close(client) }
        var request = [UInt8](repeating: 0, count: 4_096)
        guard recv(client, &request, request.count, 0) > 0 else { return }
        sent.withLock { $0 += 1 }
        guard write(client, Array(head.utf8) + Array("{\"a\":\"".utf8)) else { return }
        let block = [UInt8](repeating: UInt8(ascii: "a"), count: 65_536)
        var left = size - 6
        while left > 0, write(client, Array(block.prefix(left))) { left -= block.count }
    }

    private func write(_ client: Int32, _ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
