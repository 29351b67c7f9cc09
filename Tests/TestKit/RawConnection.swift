import Foundation
import Glibc
import Synchronization

/// A client's connection on which a test writes what it likes.
package final class RawConnection: Sendable {
    package struct Answer: Sendable, Equatable {
        package var status: Int
        package var headers: [String: String]
    }

    private let descriptor: Int32
    /// What was received and not looked at yet.
    private let received = Mutex<[UInt8]>([])

    package init(_ port: UInt16) throws {
        guard let descriptor = Loopback.connect(port) else { throw Loopback.Failure(call: "connect") }
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    @discardableResult
    package func write(_ text: String) async -> Bool { await write(Array(text.utf8)) }

    /// False once the other side has closed. On a thread of its own: it may have to wait until the other side reads.
    @discardableResult
    package func write(_ bytes: [UInt8]) async -> Bool {
        await withCheckedContinuation { continuation in
            startThread { continuation.resume(returning: self.send(bytes)) }
        }
    }

    /// As ``write(_:)``, on the calling thread.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// The next answer, none of which has a body; nil if the connection is closed without one. Not later than after 30 s.
    package func answer() async -> Answer? {
        await withCheckedContinuation { continuation in
            startThread { continuation.resume(returning: self.read()) }
        }
    }

    /// Whether the other side closes the connection, within 30 s.
    package func isClosed() async -> Bool {
        await withCheckedContinuation { continuation in
            startThread {
                var byte: UInt8 = 0
                let count = recv(self.descriptor, &byte, 1, 0)
                continuation.resume(returning: count == 0 || (count < 0 && errno == ECONNRESET))
            }
        }
    }

    /// As ``answer()``, on the calling thread.
    package func read() -> Answer? {
        guard let head = readHead() else { return nil }
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.last?.trimmingCharacters(in: .whitespaces)
        }
        let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return status.map { Answer(status: $0, headers: headers) }
    }

    private func readHead() -> [UInt8]? {
        received.withLock { received in
            while true {
                if let end = received.firstRange(of: [13, 10, 13, 10]) {
                    let head = Array(received[..<end.upperBound])
                    received.removeFirst(end.upperBound)
                    return head
                }
                var chunk = [UInt8](repeating: 0, count: 4_096)
                let count = recv(descriptor, &chunk, chunk.count, 0)
                guard count > 0 else { return nil }
                received += chunk.prefix(count)
            }
        }
    }
}
