/// Makes valid JSON that Postgres's `jsonb` refused acceptable to it. For a document that was refused, once.
package enum JSONRepair {
    package enum Fix: String, Sendable, Hashable, CaseIterable {
        /// `\u0000`, which `text` cannot hold.
        case nulCharacter = "nul_character"
        /// Half of a surrogate pair, as left by cutting a string through an emoji.
        case loneSurrogate = "lone_surrogate"
        /// A number that `numeric` cannot hold.
        case hugeNumber = "huge_number"
    }

    /// The most digits, and the largest exponent either way, that a number keeps. PostgreSQL's `numeric` holds more,
    /// but nothing that an engagement counts comes near.
    static let numberLimit = 1_000

    /// The document with U+FFFD for what strings must not hold and with huge numbers as strings of the same text, and
    /// what was done. Everything else, also what is no valid JSON, stays byte for byte.
    package static func repair(_ document: [UInt8]) -> (json: [UInt8], fixes: Set<Fix>) {
        document.withUnsafeBufferPointer { bytes in
            var pass = RepairPass(bytes)
            pass.run()
            return (pass.output, pass.fixes)
        }
    }
}

private struct RepairPass {
    private let bytes: UnsafeBufferPointer<UInt8>
    private(set) var output: [UInt8] = []
    private(set) var fixes: Set<JSONRepair.Fix> = []
    /// Everything before is in `output`.
    private var copied = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
        output.reserveCapacity(bytes.count)
    }

    /// Outside of strings only quotes and numbers matter, so nesting need not be known.
    mutating func run() {
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case JSONByte.quote: index = string(from: index + 1)
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): index = number(from: index)
            default: index += 1
            }
        }
        copy(upTo: bytes.count)
    }

    /// Returns the place behind the string's closing quote, or the end.
    private mutating func string(from start: Int) -> Int {
        let end = bytes.endOfString(from: start) ?? bytes.count
        var index = start
        while let escape = bytes.firstIndex(of: JSONByte.backslash, in: index..<end) {
            index = escapeSequence(at: escape)
        }
        return min(end + 1, bytes.count)
    }

    /// Returns the place behind the escape. An escaped backslash is passed as one, so that `\\u0000` stays.
    private mutating func escapeSequence(at index: Int) -> Int {
        guard index + 1 < bytes.count else { return bytes.count }
        guard bytes[index + 1] == UInt8(ascii: "u"), let unit = bytes.hexUnit(at: index + 2) else { return index + 2 }
        if UTF16.isLeadSurrogate(unit), bytes.lowSurrogate(at: index + 6) != nil { return index + 12 }
        if unit == 0 || UTF16.isSurrogate(unit) {
            replace(index..<index + 6, with: "\\ufffd", as: unit == 0 ? .nulCharacter : .loneSurrogate)
        }
        return index + 6
    }

    private mutating func number(from start: Int) -> Int {
        var end = start
        while end < bytes.count, JSONNumber.canContain(bytes[end]) { end += 1 }
        let token = UnsafeBufferPointer(rebasing: bytes[start..<end])
        if JSONNumber.isHuge(token, limit: JSONRepair.numberLimit) {
            replace(start..<end, with: "\"" + String(decoding: token, as: UTF8.self) + "\"", as: .hugeNumber)
        }
        return end
    }

    private mutating func replace(_ range: Range<Int>, with text: String, as fix: JSONRepair.Fix) {
        copy(upTo: range.lowerBound)
        output.append(contentsOf: text.utf8)
        copied = range.upperBound
        fixes.insert(fix)
    }

    private mutating func copy(upTo end: Int) {
        output.append(contentsOf: bytes[copied..<end])
        copied = end
    }
}
