/// Makes bytes that Postgres takes for text: valid UTF-8 without NUL (SQLSTATE 22021 otherwise).
package enum UTF8Repair {
    /// The bytes with U+FFFD for whatever is not UTF-8 and for each NUL; nil when nothing had to be replaced, which is
    /// found without copying.
    package static func repair(_ bytes: [UInt8]) -> [UInt8]? {
        let hasNUL = bytes.withUnsafeBufferPointer { $0.firstIndex(of: 0, in: 0..<$0.count) != nil }
        if !hasNUL, isValid(bytes) { return nil }
        var repaired: [UInt8] = []
        repaired.reserveCapacity(bytes.count + 16)
        for byte in String(decoding: bytes, as: UTF8.self).utf8 {
            if byte == 0 {
                repaired.append(contentsOf: [0xEF, 0xBF, 0xBD])
            } else {
                repaired.append(byte)
            }
        }
        return repaired
    }

    private static func isValid(_ bytes: [UInt8]) -> Bool {
        (try? UTF8Span(validating: bytes.span)) != nil
    }
}
