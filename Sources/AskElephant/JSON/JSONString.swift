/// The content of a JSON string as text, RFC 8259 section 7.
enum JSONString {
    /// The decoded bytes of the content at `range`; nil when it is not strictly valid, or holds U+0000 or half of a
    /// surrogate pair, which Postgres's `text` cannot.
    static func decode(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> [UInt8]? {
        var text: [UInt8] = []
        text.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            let escape = bytes.firstIndex(of: JSONByte.backslash, in: index..<range.upperBound) ?? range.upperBound
            let plain = UnsafeBufferPointer(rebasing: bytes[index..<escape])
            guard !hasControlCharacter(plain) else { return nil }
            text.append(contentsOf: plain)
            guard escape < range.upperBound else { break }
            guard let length = appendEscape(bytes, escape, to: &text) else { return nil }
            index = escape + length
        }
        return text
    }

    /// Looks at all of them without a branch, so that the compiler can do many at once.
    private static func hasControlCharacter(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var found: UInt8 = 0
        for byte in bytes { found |= byte < 0x20 ? 1 : 0 }
        return found != 0
    }

    /// Appends what the escape at `index` means and returns how many bytes it takes; nil for one that is not allowed.
    private static func appendEscape(
        _ bytes: UnsafeBufferPointer<UInt8>, _ index: Int, to text: inout [UInt8]
    ) -> Int? {
        switch bytes[index + 1] {
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case JSONByte.quote, JSONByte.backslash, UInt8(ascii: "/"): text.append(bytes[index + 1])
        case UInt8(ascii: "u"): return appendUnicodeEscape(bytes, index, to: &text)
        default: return nil
        }
        return 2
    }

    private static func appendUnicodeEscape(
        _ bytes: UnsafeBufferPointer<UInt8>, _ index: Int, to text: inout [UInt8]
    ) -> Int? {
        guard let unit = bytes.hexUnit(at: index + 2), unit != 0 else { return nil }
        if let scalar = Unicode.Scalar(unit) {
            text.append(contentsOf: UTF8.encode(scalar)!)
            return 6
        }
        guard UTF16.isLeadSurrogate(unit), let low = bytes.lowSurrogate(at: index + 6) else { return nil }
        let value = 0x10000 + (UInt32(unit - 0xD800) << 10) + UInt32(low - 0xDC00)
        guard let scalar = Unicode.Scalar(value) else { return nil }
        text.append(contentsOf: UTF8.encode(scalar)!)
        return 12
    }
}
