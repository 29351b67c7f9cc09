package import Enrichment
package import Logging
import Synchronization

/// Makes records of ours of what libraries say by swift-log: their words cut, their metadata left out, since nobody here has judged
/// what stands in it, and only so many a minute, since nobody here has bounded them either.
package final class LibraryLog: Sendable {
    /// Of each level.
    static let mostAMinute = 30
    static let longestText = 300

    private struct Window {
        var begin: ContinuousClock.Instant
        var written = 0
        var leftOut = 0
    }

    private let log: Log
    private let now: @Sendable () -> ContinuousClock.Instant
    private let windows = Mutex<[LogLevel: Window]>([:])

    package init(_ log: Log, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.log = log
        self.now = now
    }

    /// A logger for a library that is handed one.
    package func logger(_ label: String) -> Logger { Logger(label: label) { self.handler($0) } }

    /// What a library's logger of that name writes to.
    package func handler(_ label: String) -> any LogHandler { Handler(label: label, log: self) }

    /// A library's error may be one that we expect and mend: whether a person must act is said by our own records.
    static func level(_ level: Logger.Level) -> LogLevel {
        switch level {
        case .trace, .debug, .info: .debug
        case .notice: .info
        case .warning, .error, .critical: .warning
        }
    }

    /// The least level of a library's that would be written, so that what would not is not even put together.
    private var leastLevel: Logger.Level {
        switch log.minimumLevel {
        case .debug: .trace
        case .info: .notice
        case .notice, .warning: .warning
        case .error: .critical
        }
    }

    private func write(_ label: String, _ level: Logger.Level, _ text: String) {
        let level = Self.level(level)
        guard level >= log.minimumLevel, let count = allow(level) else { return }
        log(
            level, .library, "a library says something",
            [.library: .string(label), .text: .string(Self.cut(text)), .n: .integer(count)])
    }

    /// For how many a record stands, itself and those that were left out before it; nil if it is left out.
    private func allow(_ level: LogLevel) -> Int? {
        let now = now()
        return windows.withLock { windows in
            var window = windows[level] ?? Window(begin: now)
            defer { windows[level] = window }
            if now - window.begin >= .seconds(60) { (window.begin, window.written) = (now, 0) }
            guard window.written < Self.mostAMinute else {
                window.leftOut += 1
                return nil
            }
            window.written += 1
            defer { window.leftOut = 0 }
            return 1 + window.leftOut
        }
    }

    private static func cut(_ text: String) -> String {
        let scalars = text.unicodeScalars
        guard let end = scalars.index(scalars.startIndex, offsetBy: longestText, limitedBy: scalars.endIndex),
            end < scalars.endIndex
        else { return text }
        return String(scalars[..<end]) + "…"
    }

    private struct Handler: LogHandler {
        let label: String
        let log: LibraryLog
        /// Kept for the library, and not written.
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level

        init(label: String, log: LibraryLog) {
            self.label = label
            self.log = log
            logLevel = log.leastLevel
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: Logging.LogEvent) { log.write(label, event.level, event.message.description) }
    }
}
