import Enrichment

/// A record for a person at a terminal: time of day (UTC), level, event, message, fields.
enum PrettyLine {
    static func append(_ record: LogRecord, style: Style, to line: inout [UInt8]) {
        var time: [UInt8] = []
        Timestamp(milliseconds: record.timestamp).appendTime(to: &time)
        append(style.paint(String(decoding: time, as: UTF8.self), .dim), to: &line)
        append("  " + style.paint(padded(record.level.rawValue, to: 7), colour(of: record.level)), to: &line)
        append("  " + style.paint(padded(record.event.rawValue, to: 18), .bold), to: &line)
        append("  ", to: &line)
        TextEscaper.append(record.message.text, to: &line)
        for field in record.fields.list where field.value != .null {
            append("  " + style.paint(field.key.rawValue + "=", .dim), to: &line)
            LogfmtLine.appendValue(field.value, to: &line)
        }
    }

    private static func colour(of level: LogLevel) -> Style.Paint {
        switch level {
        case .debug: .dim
        case .info: .green
        case .notice: .cyan
        case .warning: .yellow
        case .error: .red
        }
    }

    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.utf8.count))
    }

    private static func append(_ text: String, to line: inout [UInt8]) {
        line.append(contentsOf: text.utf8)
    }
}
