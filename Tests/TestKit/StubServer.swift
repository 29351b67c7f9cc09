import Foundation
import Glibc
import Synchronization

/// An HTTP server that answers every request with one status, and keeps what it was asked for.
package final class StubServer: Sendable {
    package let port: UInt16
    private let descriptor: Int32
    private let state: Mutex<(status: Int, requests: [String])>

    package init(status: Int = 200) throws {
        let (descriptor, port) = try Loopback.listen()
        self.descriptor = descriptor
        self.port = port
        state = Mutex((status, []))
        // Blocks, so on a thread of its own.
        Thread.detachNewThread { [self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                answer(connection)
                Glibc.close(connection)
            }
        }
    }

    package func answer(with status: Int) { state.withLock { $0.status = status } }

    /// The first lines of all requests.
    package var requests: [String] { state.withLock(\.requests) }

    /// Nobody is answered any more.
    package func stop() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    private func answer(_ connection: Int32) {
        var head: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while head.firstRange(of: Array("\r\n\r\n".utf8)) == nil {
            let count = read(connection, &buffer, buffer.count)
            guard count > 0 else { return }
            head += buffer[..<count]
        }
        let line = String(decoding: head.prefix { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
        let status = state.withLock { state in
            state.requests.append(line)
            return state.status
        }
        let answer = Array("HTTP/1.1 \(status) Status\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8)
        _ = write(connection, answer, answer.count)
    }
}
