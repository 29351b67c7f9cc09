import Dispatch
import Glibc
import Synchronization
import Testing

@testable import engagement_worker

/// The descriptors are real pipes: stopped readers, closed readers, a full disk.
@Suite struct LogWriterTests {
    /// Long enough for a busy machine; nothing waits for it to pass unless the code is wrong.
    private let patience: Duration = .seconds(20)

    init() {
        // As the worker does at start; a write to a closed pipe would end the process otherwise.
        signal(SIGPIPE, SIG_IGN)
    }

    @Test func linesArriveWholeAndInOrder() {
        let pipe = Pipe()
        let writer = makeWriter(pipe.writeEnd)
        let lines = (0..<500).map { "line \($0)\n" }
        for line in lines { writer.append(Array(line.utf8)) }
        #expect(writer.close(within: patience))
        pipe.closeWriteEnd()
        #expect(pipe.readToEnd() == lines.joined())
    }

    @Test func stoppedReaderDropsLinesAndSaysHowMany() {
        let pipe = Pipe()
        let writer = makeWriter(pipe.writeEnd, capacity: 100_000)
        let line = Array((String(repeating: "x", count: 99) + "\n").utf8)
        let appended = 5000
        // The pipe takes 64 KB and the buffer 100 KB, so most of these 500 KB find no room; and nobody reads yet.
        for _ in 0..<appended { writer.append(line) }
        #expect(!writer.flush(within: .milliseconds(1)))

        let reading = pipe.startReading()
        #expect(writer.close(within: patience))
        pipe.closeWriteEnd()
        let lines = reading.text().split(separator: "\n")
        let reports = lines.filter { $0.hasPrefix("dropped ") }
        let dropped = reports.compactMap { Int($0.dropFirst("dropped ".count)) }.reduce(0, +)
        #expect(dropped > 1000)
        #expect(lines.count - reports.count + dropped == appended)
        #expect(lines.allSatisfy { $0.hasPrefix("dropped ") || $0.count == 99 })
    }

    @Test func lineLargerThanTheBufferIsDropped() {
        let pipe = Pipe()
        let writer = makeWriter(pipe.writeEnd, capacity: 10)
        writer.append(Array("0123456789\n".utf8))
        writer.append(Array("short\n".utf8))
        #expect(writer.close(within: patience))
        pipe.closeWriteEnd()
        #expect(Set(pipe.readToEnd().split(separator: "\n")) == ["dropped 1", "short"])
    }

    @Test func closedReaderLosesLinesButBlocksNobody() {
        let pipe = Pipe()
        let writer = makeWriter(pipe.writeEnd)
        pipe.closeReadEnd()
        writer.append(Array("lost\n".utf8))
        #expect(writer.flush(within: patience))
        writer.append(Array("lost too\n".utf8))
        #expect(writer.close(within: patience))
        pipe.closeWriteEnd()
    }

    @Test func fullDiskIsReportedOnceThereIsRoom() {
        let full = open("/dev/full", O_WRONLY)
        let writer = makeWriter(full)
        writer.append(Array("lost\n".utf8))
        #expect(writer.flush(within: patience))
        writer.append(Array("lost too\n".utf8))
        #expect(writer.flush(within: patience))

        // The same descriptor leads to a pipe from here on, as if the disk had been cleaned up.
        let pipe = Pipe()
        dup2(pipe.writeEnd, full)
        pipe.closeWriteEnd()
        writer.append(Array("seen\n".utf8))
        #expect(writer.close(within: patience))
        close(full)
        #expect(pipe.readToEnd() == "seen\ndropped 2\n")
    }

    @Test func nonBlockingDescriptorLosesNothing() {
        let pipe = Pipe()
        _ = fcntl(pipe.writeEnd, F_SETFL, O_NONBLOCK)
        let writer = makeWriter(pipe.writeEnd)
        let line = String(repeating: "y", count: 999) + "\n"
        for _ in 0..<300 { writer.append(Array(line.utf8)) }
        let reading = pipe.startReading()
        #expect(writer.close(within: patience))
        pipe.closeWriteEnd()
        #expect(reading.text() == String(repeating: line, count: 300))
    }

    private func makeWriter(_ descriptor: Int32, capacity: Int = 4 << 20) -> LogWriter {
        LogWriter(descriptor: descriptor, capacity: capacity) { Array("dropped \($0)\n".utf8) }
    }
}

/// A pipe whose two ends close separately.
private final class Pipe: Sendable {
    let readEnd: Int32
    let writeEnd: Int32

    init() {
        var ends: [Int32] = [0, 0]
        precondition(pipe(&ends) == 0, "no pipe")
        // A process that another test starts must not hold the ends open.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    func closeReadEnd() { close(readEnd) }
    func closeWriteEnd() { close(writeEnd) }

    /// Reads on a thread of its own, since those of the pool may all be waiting in tests.
    func startReading() -> Reading {
        let reading = Reading()
        DetachedThread.start { reading.end(self.readToEnd()) }
        return reading
    }

    func readToEnd() -> String {
        var text: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(readEnd, &piece, piece.count)
            guard count > 0 else { break }
            text += piece[..<count]
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// What a thread reads until the end.
private final class Reading: Sendable {
    private let result = Mutex("")
    private let ended = DispatchSemaphore(value: 0)

    func end(_ text: String) {
        result.withLock { $0 = text }
        ended.signal()
    }

    /// The whole text, once there is an end.
    func text() -> String {
        ended.wait()
        return result.withLock { $0 }
    }
}
