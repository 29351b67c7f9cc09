import Glibc
import TestKit
import Testing

/// Sends back whatever it gets, on each connection until that ends.
final class EchoServer: Sendable {
    let port: UInt16
    private let listener: Int32

    init() throws {
        (listener, port) = try Loopback.listen()
        startThread { [listener] in
            while case let client = accept(listener, nil, nil), client >= 0 {
                startThread { Self.serve(client) }
            }
            close(listener)
        }
    }

    func stop() { _ = shutdown(listener, Int32(SHUT_RDWR)) }

    private static func serve(_ client: Int32) {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while case let count = recv(client, &buffer, buffer.count, 0), count > 0 {
            guard send(client, buffer, count, Int32(MSG_NOSIGNAL)) == count else { break }
        }
        close(client)
    }
}

/// A client's end of a connection that says what became of it.
final class TestSocket {
    enum Answer: Hashable {
        case bytes(String)
        /// Nothing came in time.
        case silence
        case closed
        case reset
    }

    private let descriptor: Int32

    init(_ port: UInt16) throws {
        let descriptor = try #require(Loopback.connect(port))
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// So many bytes, or why there were not.
    func receive(_ count: Int, within limit: Duration = .seconds(10)) -> Answer {
        var bytes: [UInt8] = []
        let end = ContinuousClock.now + limit
        while bytes.count < count {
            var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let left = max(.zero, end - .now) / .milliseconds(1)
            guard poll(&state, 1, Int32(left.rounded(.up))) > 0 else { return .silence }
            var buffer = [UInt8](repeating: 0, count: count - bytes.count)
            let received = recv(descriptor, &buffer, buffer.count, 0)
            if received < 0 { return .reset }
            if received == 0 { return .closed }
            bytes += buffer[..<received]
        }
        return .bytes(String(decoding: bytes, as: UTF8.self))
    }
}
