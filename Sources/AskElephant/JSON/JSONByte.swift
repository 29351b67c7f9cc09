#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The bytes that JSON is made of, and the one search that both scanners need.
enum JSONByte {
    static let quote = UInt8(ascii: "\"")
    static let backslash = UInt8(ascii: "\\")
    static let openBrace = UInt8(ascii: "{")
    static let closeBrace = UInt8(ascii: "}")
    static let openBracket = UInt8(ascii: "[")
    static let closeBracket = UInt8(ascii: "]")
    static let comma = UInt8(ascii: ",")
    static let colon = UInt8(ascii: ":")

    static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The first place of a byte in the range. `memchr` looks at many bytes at once.
    func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int? {
        guard !range.isEmpty, let base = baseAddress,
            let found = memchr(base + range.lowerBound, Int32(byte), range.count)
        else { return nil }
        return UnsafeRawPointer(found) - UnsafeRawPointer(base)
    }

    /// The place of the quote that ends the string whose content begins at `start`; nil when nothing ends it.
    ///
    /// A quote is escaped when an odd number of backslashes stands before it. Each of them is counted once, since the
    /// count stops at the quote before, so the whole stays linear.
    func endOfString(from start: Int) -> Int? {
        var from = start
        while let quote = firstIndex(of: JSONByte.quote, in: from..<count) {
            var first = quote
            while first > from, self[first - 1] == JSONByte.backslash { first -= 1 }
            if (quote - first).isMultiple(of: 2) { return quote }
            from = quote + 1
        }
        return nil
    }

    /// The four hexadecimal digits of a `\u` escape, beginning at `index`.
    func hexUnit(at index: Int) -> UInt16? {
        guard index + 4 <= count else { return nil }
        var unit: UInt16 = 0
        for byte in self[index..<index + 4] {
            switch byte {
            case 0x30...0x39: unit = unit << 4 | UInt16(byte - 0x30)
            case 0x41...0x46: unit = unit << 4 | UInt16(byte - 0x41 + 10)
            case 0x61...0x66: unit = unit << 4 | UInt16(byte - 0x61 + 10)
            default: return nil
            }
        }
        return unit
    }

    /// The second half of a surrogate pair, if a `\u` escape with one stands at `index`.
    func lowSurrogate(at index: Int) -> UInt16? {
        guard index + 6 <= count, self[index] == JSONByte.backslash, self[index + 1] == UInt8(ascii: "u"),
            let unit = hexUnit(at: index + 2), UTF16.isTrailSurrogate(unit)
        else { return nil }
        return unit
    }
}
