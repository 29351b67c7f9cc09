import Dispatch
import Enrichment
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Writes lines to a descriptor from a thread of its own, so that a reader who stopped reading never stops the work.
///
/// Lines wait in a bounded buffer. When it is full, or the descriptor fails (a closed pipe, a full disk), lines are
/// dropped and counted, and one record `log.dropped` with their number is written once that is possible again.
/// The process must ignore SIGPIPE. The thread lives until ``close(within:)``.
final class LogWriter: Sendable {
    fileprivate struct State {
        var buffer: [UInt8] = []
        /// Bytes taken by the thread and not written yet; they count against the capacity too.
        var inFlight = 0
        var dropped = 0
        /// Whether the number of dropped lines may be written; not right after a failure, which would spin.
        var mayReport = false
        /// Whether the thread waits for a signal.
        var isIdle = false
        var isClosing = false
        var waiters: [DispatchSemaphore] = []
    }

    fileprivate struct Work {
        var bytes: [UInt8]
        var dropped: Int
    }

    /// In microseconds.
    private static let pause: useconds_t = 2_000

    private let state = Mutex(State())
    private let wake = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)
    private let descriptor: Int32
    private let capacity: Int
    private let makeReport: @Sendable (Int) -> [UInt8]

    /// - Parameters:
    ///   - descriptor: stays the caller's. Blocking or not does not matter.
    ///   - capacity: the most bytes to hold; a line that does not fit is dropped.
    ///   - makeReport: the line that says how many were dropped.
    init(descriptor: Int32, capacity: Int = 4 << 20, makeReport: @escaping @Sendable (Int) -> [UInt8]) {
        self.descriptor = descriptor
        self.capacity = capacity
        self.makeReport = makeReport
        DetachedThread.start { self.drain() }
    }

    /// Takes a line, its line end included, or drops it. Returns at once.
    func append(_ line: [UInt8]) {
        let mustWake = state.withLock { state in
            if state.buffer.count + state.inFlight + line.count <= capacity {
                state.buffer.append(contentsOf: line)
            } else {
                state.dropped += 1
            }
            state.mayReport = true
            return state.takeIdle()
        }
        if mustWake { wake.signal() }
    }

    /// Waits until everything was written, or tried. False when the time was over before.
    @discardableResult
    func flush(within limit: Duration) -> Bool {
        let idle = DispatchSemaphore(value: 0)
        let mustWake = state.withLock { state in
            state.waiters.append(idle)
            state.mayReport = true
            return state.takeIdle()
        }
        if mustWake { wake.signal() }
        return idle.wait(timeout: .now() + limit.dispatchInterval) == .success
    }

    /// Flushes and ends the thread. A thread that hangs in a write ends with the process.
    @discardableResult
    func close(within limit: Duration) -> Bool {
        let mustWake = state.withLock { state in
            state.isClosing = true
            state.mayReport = true
            return state.takeIdle()
        }
        if mustWake { wake.signal() }
        return ended.wait(timeout: .now() + limit.dispatchInterval) == .success
    }

    // MARK: - On the thread

    private func drain() {
        var isMidLine = false
        while let work = next() {
            let rest = write(work.bytes, isMidLine: &isMidLine)
            let isReported =
                rest.isEmpty
                && (work.dropped == 0 || write(makeReport(work.dropped), isMidLine: &isMidLine).isEmpty)
            if !isReported {
                giveUp(work.dropped + rest.count { $0 == UInt8(ascii: "\n") })
            }
            // What comes within the next moment is written together.
            if state.withLock({ !$0.isClosing && $0.waiters.isEmpty }) { usleep(Self.pause) }
        }
        ended.signal()
    }

    /// What there is to write, as soon as there is something; nil to end.
    private func next() -> Work? {
        while true {
            let (work, mustEnd) = state.withLock { $0.take() }
            if let work { return work }
            if mustEnd { return nil }
            wake.wait()
        }
    }

    /// Writes lines and returns what could not be written. After a failure in the middle of a line that line is ended
    /// first, since the next one must not continue it.
    private func write(_ lines: [UInt8], isMidLine: inout Bool) -> ArraySlice<UInt8> {
        let newline = UInt8(ascii: "\n")
        if isMidLine, !lines.isEmpty {
            guard writeAll([newline]).isEmpty else { return lines[...] }
            isMidLine = false
        }
        let rest = writeAll(lines[...])
        if let last = lines[..<rest.startIndex].last { isMidLine = last != newline }
        return rest
    }

    private func giveUp(_ lines: Int) {
        state.withLock { state in
            state.inFlight = 0
            state.dropped += lines
            state.mayReport = false
        }
    }

    /// In pieces, so that room in the buffer grows as the reader reads. Returns what could not be written.
    private func writeAll(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.prefix(1 << 16).withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
                state.withLock { $0.inFlight = max(0, $0.inFlight - count) }
            } else if count < 0, errno == EAGAIN {
                awaitRoom()
            } else if count < 0, errno == EINTR {
                continue
            } else {
                break
            }
        }
        return rest
    }

    /// A descriptor shared with another process may have been made non-blocking by that one.
    private func awaitRoom() {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&request, 1, -1)
    }
}

extension LogWriter.State {
    /// Whether the thread has to be woken; it counts as awake from here on.
    fileprivate mutating func takeIdle() -> Bool {
        defer { isIdle = false }
        return isIdle
    }

    /// What to write now. With nothing to write, those who wait for that are told, and the thread is idle or ends.
    fileprivate mutating func take() -> (LogWriter.Work?, mustEnd: Bool) {
        guard buffer.isEmpty, dropped == 0 || !mayReport else {
            defer {
                inFlight = buffer.count
                buffer = []
                dropped = 0
            }
            return (LogWriter.Work(bytes: buffer, dropped: dropped), false)
        }
        for waiter in waiters { waiter.signal() }
        waiters = []
        isIdle = !isClosing
        return (nil, isClosing)
    }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}

extension Duration {
    fileprivate var dispatchInterval: DispatchTimeInterval {
        let (seconds, attoseconds) = components
        return .milliseconds(Int(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000))
    }
}
