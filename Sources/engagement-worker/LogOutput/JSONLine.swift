import Enrichment

/// A record as one JSON object on one line.
enum JSONLine {
    static func append(_ record: LogRecord, to line: inout [UInt8]) {
        append("{\"ts\":\"", to: &line)
        Timestamp(milliseconds: record.timestamp).appendFull(to: &line)
        append("\",\"level\":\"", to: &line)
        append(record.level.rawValue, to: &line)
        append("\",\"event\":\"", to: &line)
        append(record.event.rawValue, to: &line)
        append("\",\"msg\":", to: &line)
        appendString(record.message.text, to: &line)
        for field in record.fields.list {
            append(",\"", to: &line)
            append(field.key.rawValue, to: &line)
            append("\":", to: &line)
            appendValue(field.value, to: &line)
        }
        line.append(UInt8(ascii: "}"))
    }

    private static func appendValue(_ value: LogValue, to line: inout [UInt8]) {
        switch value {
        case .null: append("null", to: &line)
        case .string(let text): appendString(text, to: &line)
        case .integer(let number): append(String(number), to: &line)
        case .double(let number): append(number.logged.map { "\($0)" } ?? "null", to: &line)
        case .boolean(let truth): append(truth ? "true" : "false", to: &line)
        case .strings(let texts): appendArray(texts, to: &line)
        }
    }

    private static func appendArray(_ texts: [String], to line: inout [UInt8]) {
        line.append(UInt8(ascii: "["))
        for (index, text) in texts.enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            appendString(text, to: &line)
        }
        line.append(UInt8(ascii: "]"))
    }

    private static func appendString(_ text: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        TextEscaper.append(text, to: &line)
        line.append(UInt8(ascii: "\""))
    }

    private static func append(_ text: String, to line: inout [UInt8]) {
        line.append(contentsOf: text.utf8)
    }
}
