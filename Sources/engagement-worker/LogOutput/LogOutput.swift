import Enrichment

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The log of a process, and the writer behind it, to be flushed before the process ends.
struct LogOutput: Sendable {
    let log: Log
    let writer: LogWriter

    /// - Parameters:
    ///   - descriptor: 1 for `run`, 2 for commands whose results go to standard output.
    ///   - base: fields of every record, such as the worker's id.
    init(
        format: LogFormat, level: LogLevel, color: ColorChoice, descriptor: Int32, environment: [String: String],
        base: LogFields = [:]
    ) {
        let isTerminal = isatty(descriptor) == 1
        let style = Style.resolve(color, environment: environment, isTerminal: isTerminal)
        let isJournal = Self.isJournal(descriptor, environment["JOURNAL_STREAM"])
        let encoder = format.encoder(isTerminal: isTerminal, isJournal: isJournal, style: style)
        let writer = LogWriter(descriptor: descriptor) { dropped in
            encoder.encode(Self.droppedRecord(dropped, base: base))
        }
        self.writer = writer
        self.log = Log(minimumLevel: level, base: base) { writer.append(encoder.encode($0)) }
    }

    /// Whether the descriptor is the stream that systemd opened for its journal: `DEVICE:INODE` (systemd.exec(5)). What inherits
    /// the variable and writes elsewhere is told apart by that.
    static func isJournal(_ descriptor: Int32, _ stream: String?) -> Bool {
        var status = stat()
        guard let stream, fstat(descriptor, &status) == 0 else { return false }
        return stream == "\(status.st_dev):\(status.st_ino)"
    }

    static func droppedRecord(_ dropped: Int, base: LogFields) -> LogRecord {
        var fields: LogFields = [.n: .integer(dropped)]
        fields.fill(from: base)
        return LogRecord(
            timestamp: Log.systemTime(), level: .warning, event: .logDropped,
            message: "lines were dropped because the log could not be written fast enough", fields: fields
        )
    }
}
