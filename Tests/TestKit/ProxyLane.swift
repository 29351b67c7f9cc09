import Glibc

/// One direction of a connection: at most one chunk is on its way.
struct ProxyLane {
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
    var isSending: Bool { !pending.isEmpty }
    var isDue: Bool { !pending.isEmpty && ContinuousClock.now >= dueAt }

    /// How long a chunk still waits; nil when none does.
    var waitMilliseconds: Int32? {
        guard !pending.isEmpty, !isDue else { return nil }
        return Int32(((dueAt - .now) / .milliseconds(1)).rounded(.up))
    }

    /// Bytes that have come, if it has room for any.
    mutating func receive() -> ArraySlice<UInt8>? {
        guard wantsToRead else { return nil }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(source, &buffer, buffer.count, 0)
        if count > 0 { return buffer[..<count] }
        if count == 0 {
            isFinished = true
            _ = shutdown(sink, Int32(SHUT_WR))
        } else if errno != EAGAIN && errno != EINTR {
            isBroken = true
        }
        return nil
    }

    /// The chunk to send next.
    mutating func hand(_ bytes: ArraySlice<UInt8>, after delay: Duration) {
        pending = bytes
        dueAt = .now + delay
    }

    /// What waits is due now.
    mutating func release() { dueAt = .now }

    /// Sends what is due, up to so many bytes; what is left then waits for the pause.
    mutating func send(_ limit: Int, pause: Duration) {
        guard isDue else { return }
        let portion = pending.prefix(limit)
        let count = portion.withUnsafeBytes { Glibc.send(sink, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        if count > 0 {
            pending = pending.dropFirst(count)
            dueAt = .now + pause
        } else if errno != EAGAIN && errno != EINTR {
            isBroken = true
        }
    }
}
