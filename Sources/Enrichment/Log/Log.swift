#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Where the worker's parts write their records.
///
/// This is not swift-log, because the line is a contract here: keys come from one enum, fields keep their order and
/// may be null, and at thousands of lines a second a record costs about 2 µs instead of a dictionary of strings.
package struct Log: Sendable {
    /// Takes each record that passed the level. It must not block.
    package typealias Sink = @Sendable (LogRecord) -> Void

    /// Records below this are not even put together.
    package let minimumLevel: LogLevel
    private let base: LogFields
    private let now: @Sendable () -> Int64
    private let sink: Sink

    /// - Parameters:
    ///   - base: fields of every record, after its own; one that the record has itself is left out.
    ///   - now: Unix time in milliseconds.
    package init(
        minimumLevel: LogLevel,
        base: LogFields = [:],
        now: @escaping @Sendable () -> Int64 = Log.systemTime,
        sink: @escaping Sink
    ) {
        self.minimumLevel = minimumLevel
        self.base = base
        self.now = now
        self.sink = sink
    }

    /// Writes a record, unless its level is below the minimum; then `fields` is not evaluated.
    package func callAsFunction(
        _ level: LogLevel,
        _ event: LogEvent,
        _ message: StaticString,
        _ fields: @autoclosure () -> LogFields = [:]
    ) {
        guard level >= minimumLevel else { return }
        var all = fields()
        all.fill(from: base)
        sink(LogRecord(timestamp: now(), level: level, event: event, message: message, fields: all))
    }

    /// The same log with further fields in every record.
    package func adding(_ fields: LogFields) -> Log {
        var all = fields
        all.fill(from: base)
        return Log(minimumLevel: minimumLevel, base: all, now: now, sink: sink)
    }

    /// A log that nobody reads.
    package static let none = Log(minimumLevel: .error) { _ in }

    /// The system's clock as Unix time in milliseconds. For `ts` only: what is due the database's clock decides.
    package static let systemTime: @Sendable () -> Int64 = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
