import Enrichment

/// Turns a record into one line, its line end included.
enum LogEncoder: Sendable {
    case json
    /// JSON behind the priority, `<4>` for a warning, which systemd's journal takes off and files (sd-daemon(3)).
    case journal
    case logfmt
    /// For eyes: aligned, coloured as the style allows, without the date, and without fields that are null.
    case pretty(Style)

    func encode(_ record: LogRecord) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(640)
        switch self {
        case .json: JSONLine.append(record, to: &line)
        case .journal:
            line.append(contentsOf: record.level.journalPrefix.utf8)
            JSONLine.append(record, to: &line)
        case .logfmt: LogfmtLine.append(record, to: &line)
        case .pretty(let style): PrettyLine.append(record, style: style, to: &line)
        }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    /// Text that is no record, for the journal: each of its lines becomes an entry, with that priority.
    static func prioritized(_ text: String, _ level: LogLevel) -> String {
        text.split(separator: "\n").map { "\(level.journalPrefix)\($0)\n" }.joined()
    }
}

extension StaticString {
    /// As a string, to be escaped like any other.
    var text: String { description }
}

extension Double {
    /// To three decimals, or nil for what is no number: neither JSON nor logfmt has a word for that.
    var logged: Double? {
        isFinite ? (self * 1000).rounded() / 1000 : nil
    }
}

extension LogLevel {
    /// As syslog(3) numbers them.
    var priority: Int {
        switch self {
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info: 6
        case .debug: 7
        }
    }

    fileprivate var journalPrefix: String { "<\(priority)>" }
}
