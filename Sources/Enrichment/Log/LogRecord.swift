import FoundationEssentials

/// One field of a record.
package struct LogField: Equatable, Sendable {
    package var key: LogKey
    package var value: LogValue

    package init(_ key: LogKey, _ value: LogValue) {
        self.key = key
        self.value = value
    }
}

/// Fields in the order in which they were written down: `[.jobID: 7, .cause: nil]`.
package struct LogFields: Equatable, Sendable, ExpressibleByDictionaryLiteral {
    package var list: [LogField]

    package init(_ list: [LogField] = []) {
        self.list = list
    }

    package init(dictionaryLiteral elements: (LogKey, LogValue)...) {
        self.list = elements.map { LogField($0, $1) }
    }

    package subscript(key: LogKey) -> LogValue? {
        list.first { $0.key == key }?.value
    }

    /// Adds those of the other fields whose key is not here yet, so that no record names a key twice.
    package mutating func fill(from other: LogFields) {
        for field in other.list where self[field.key] == nil {
            list.append(field)
        }
    }
}

extension LogFields: Encodable {
    package func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: LogKey.self)
        for field in list { try fields.encode(field.value, forKey: field.key) }
    }

    /// As a JSON object.
    package var json: String {
        // Numbers that JSON has no word for are null, so nothing here can fail.
        (try? JSONEncoder().encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}

/// One line of the log before it has a format.
package struct LogRecord: Sendable {
    /// Unix time in milliseconds.
    package var timestamp: Int64
    package var level: LogLevel
    package var event: LogEvent
    /// Constant text, so that facts can only go into fields.
    package var message: StaticString
    package var fields: LogFields

    package init(
        timestamp: Int64, level: LogLevel, event: LogEvent, message: StaticString, fields: LogFields
    ) {
        self.timestamp = timestamp
        self.level = level
        self.event = event
        self.message = message
        self.fields = fields
    }
}
