/// Appends JSON to a string. Appending whole strings is quick even in debug builds, unlike appending single bytes.
struct JSONWriter {
    private(set) var text = ""
    private var needsComma = false

    init(capacity: Int = 0) {
        text.reserveCapacity(capacity)
    }

    mutating func object(_ body: (inout JSONWriter) -> Void) {
        enclose("{", "}", body)
    }

    mutating func array(_ body: (inout JSONWriter) -> Void) {
        enclose("[", "]", body)
    }

    private mutating func enclose(
        _ opening: String, _ closing: String, _ body: (inout JSONWriter) -> Void
    ) {
        token(opening)
        needsComma = false
        body(&self)
        text += closing
        needsComma = true
    }

    /// Keys are ours and need no escapes.
    mutating func key(_ name: String) {
        if needsComma { text += "," }
        text += "\""
        text += name
        text += "\":"
        needsComma = false
    }

    mutating func string(_ value: String) {
        token("\"")
        escape(value)
        text += "\""
    }

    mutating func integer(_ value: Int) { token(String(value)) }
    mutating func boolean(_ value: Bool) { token(value ? "true" : "false") }
    mutating func null() { token("null") }

    /// Text that is JSON already.
    mutating func raw(_ json: String) { token(json) }

    private mutating func token(_ json: String) {
        if needsComma { text += "," }
        text += json
        needsComma = true
    }

    /// Copies the stretches between characters that need an escape.
    private mutating func escape(_ value: String) {
        var value = value
        value.withUTF8 { bytes in
            guard let base = bytes.baseAddress else { return }
            var copied = 0
            var index = 0
            while index < bytes.count {
                let byte = base[index]
                if byte < 0x20 || byte == 0x22 || byte == 0x5C {
                    text += String(
                        decoding: UnsafeBufferPointer(start: base + copied, count: index - copied),
                        as: UTF8.self)
                    text += Self.escaped(byte)
                    copied = index + 1
                }
                index += 1
            }
            text += String(
                decoding: UnsafeBufferPointer(start: base + copied, count: bytes.count - copied),
                as: UTF8.self)
        }
    }

    private static func escaped(_ byte: UInt8) -> String {
        switch byte {
        case 0x22: return "\\\""
        case 0x5C: return "\\\\"
        case 0x0A: return "\\n"
        case 0x0D: return "\\r"
        case 0x09: return "\\t"
        default:
            let digits = String(byte, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
        }
    }
}

extension JSONWriter {
    mutating func member(_ name: String, _ value: String) {
        key(name)
        string(value)
    }

    mutating func member(_ name: String, _ value: Int) {
        key(name)
        integer(value)
    }

    mutating func member(_ name: String, _ value: Bool) {
        key(name)
        boolean(value)
    }

    mutating func list<Item>(
        _ name: String, _ items: [Item], _ write: (inout JSONWriter, Item) -> Void
    ) {
        key(name)
        array { writer in
            for item in items { write(&writer, item) }
        }
    }
}
