/// Makes foreign text safe to stand within a line: nobody can forge a line, end a quotation or command a terminal.
///
/// Escaped, in every format, are the control characters C0, DEL and C1 (with U+0085, a line end to some readers), the
/// line separators U+2028 and U+2029, and the characters which turn the direction of writing. A Swift string is
/// valid UTF-8 by construction, so the output is too.
enum TextEscaper {
    /// Beyond this many Unicode scalars a log value is cut and ends in "…".
    static let limit = 2048

    /// Appends the text, escaped as within a JSON string; the quotation marks are the caller's.
    ///
    /// - Parameter limit: the most scalars to write, or nil for all.
    static func append(_ text: String, to output: inout [UInt8], limit: Int? = TextEscaper.limit) {
        var text = text
        text.withUTF8 { bytes in
            let end = limit.map { cut(bytes, after: $0) } ?? bytes.count
            appendEscaped(UnsafeBufferPointer(rebasing: bytes[..<end]), to: &output)
            if end < bytes.count { output.append(contentsOf: "…".utf8) }
        }
    }

    /// The text with dangerous characters escaped, for a cell of a table or a sentence; quotes stay as they are.
    static func visible(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isDangerous) else { return text }
        var output = ""
        for scalar in text.unicodeScalars {
            if isDangerous(scalar) {
                output += shortEscape(scalar) ?? "\\u" + hex4(scalar.value)
            } else {
                output.unicodeScalars.append(scalar)
            }
        }
        return output
    }

    static func isDangerous(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0...0x1F, 0x7F...0x9F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// Where to cut so that at most `limit` scalars remain: a byte that begins a scalar, or the end.
    private static func cut(_ bytes: UnsafeBufferPointer<UInt8>, after limit: Int) -> Int {
        guard bytes.count > limit else { return bytes.count }
        var scalars = 0
        for (index, byte) in bytes.enumerated() where byte & 0xC0 != 0x80 {
            if scalars == limit { return index }
            scalars += 1
        }
        return bytes.count
    }

    /// Copies runs of harmless bytes whole, since nearly all text is one such run.
    private static func appendEscaped(_ bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
        var copied = 0
        var index = 0
        while index < bytes.count {
            let (escape, length) = escape(in: bytes, at: index)
            if let escape {
                output.append(contentsOf: bytes[copied..<index])
                output.append(contentsOf: escape.utf8)
                copied = index + length
            }
            index += length
        }
        output.append(contentsOf: bytes[copied...])
    }

    /// What to write for the scalar at the index, nil for itself, and how many bytes to go on.
    private static func escape(
        in bytes: UnsafeBufferPointer<UInt8>, at index: Int
    ) -> (escape: String?, length: Int) {
        switch bytes[index] {
        case UInt8(ascii: "\""): ("\\\"", 1)
        case UInt8(ascii: "\\"): ("\\\\", 1)
        case 0..<0x20, 0x7F: (escaped(Unicode.Scalar(bytes[index])), 1)
        case 0xC2 where bytes[index + 1] < 0xA0: (escaped(Unicode.Scalar(bytes[index + 1])), 2)
        case 0xE2 where bytes[index + 1] == 0x80 || bytes[index + 1] == 0x81:
            (escapeOfPunctuation(bytes[index + 1], bytes[index + 2]), 3)
        default: (nil, 1)
        }
    }

    /// U+2000 to U+207F are the bytes E2 80 80 to E2 81 BF.
    private static func escapeOfPunctuation(_ second: UInt8, _ third: UInt8) -> String? {
        let value = 0x2000 | UInt32(second & 0x3F) << 6 | UInt32(third & 0x3F)
        guard let scalar = Unicode.Scalar(value), isDangerous(scalar) else { return nil }
        return escaped(scalar)
    }

    private static func escaped(_ scalar: Unicode.Scalar) -> String {
        shortEscape(scalar) ?? "\\u" + hex4(scalar.value)
    }

    private static func shortEscape(_ scalar: Unicode.Scalar) -> String? {
        switch scalar {
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        default: nil
        }
    }

    private static func hex4(_ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }
}
