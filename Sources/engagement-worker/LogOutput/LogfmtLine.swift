import Enrichment

/// A record as `key=value` pairs. Null is the bare word `null`; a text that reads the same is quoted.
enum LogfmtLine {
    static func append(_ record: LogRecord, to line: inout [UInt8]) {
        append("ts=", to: &line)
        Timestamp(milliseconds: record.timestamp).appendFull(to: &line)
        append(" level=", to: &line)
        append(record.level.rawValue, to: &line)
        append(" event=", to: &line)
        append(record.event.rawValue, to: &line)
        append(" msg=", to: &line)
        appendString(record.message.text, to: &line)
        for field in record.fields.list {
            append(" ", to: &line)
            append(field.key.rawValue, to: &line)
            append("=", to: &line)
            appendValue(field.value, to: &line)
        }
    }

    /// Also the value of a pretty line. Lists are joined by commas.
    static func appendValue(_ value: LogValue, to line: inout [UInt8]) {
        switch value {
        case .null: append("null", to: &line)
        case .string(let text): appendString(text, to: &line)
        case .integer(let number): append(String(number), to: &line)
        case .double(let number): append(number.logged.map { "\($0)" } ?? "null", to: &line)
        case .boolean(let truth): append(truth ? "true" : "false", to: &line)
        case .strings(let texts): appendString(texts.joined(separator: ","), to: &line)
        }
    }

    private static func appendString(_ text: String, to line: inout [UInt8]) {
        guard !isBare(text) else { return append(text, to: &line) }
        line.append(UInt8(ascii: "\""))
        TextEscaper.append(text, to: &line)
        line.append(UInt8(ascii: "\""))
    }

    private static func isBare(_ text: String) -> Bool {
        guard !text.isEmpty, text != "null", text.utf8.count <= TextEscaper.limit else { return false }
        return text.utf8.allSatisfy { byte in
            (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "=")
                && byte != UInt8(ascii: "\\")
        }
    }

    private static func append(_ text: String, to line: inout [UInt8]) {
        line.append(contentsOf: text.utf8)
    }
}
