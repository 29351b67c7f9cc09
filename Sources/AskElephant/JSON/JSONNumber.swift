/// The size of a JSON number, from its text.
enum JSONNumber {
    static func canContain(_ byte: UInt8) -> Bool {
        byte.isASCIIDigit || "-+.eE".utf8.contains(byte)
    }

    /// Whether the token is a valid number (RFC 8259 section 6) with more digits than `limit` or a larger exponent,
    /// either way. What is no valid number is not huge, so quoting huge ones never makes bad JSON good.
    static func isHuge(_ token: UnsafeBufferPointer<UInt8>, limit: Int) -> Bool {
        var rest = token[...]
        _ = take(&rest, "-")
        let integer = digits(&rest)
        guard !integer.isEmpty, integer.count == 1 || integer.first != UInt8(ascii: "0") else { return false }
        var fraction = rest.prefix(0)
        if take(&rest, ".") {
            fraction = digits(&rest)
            guard !fraction.isEmpty else { return false }
        }
        var exponent = 0
        if take(&rest, "e") || take(&rest, "E") {
            _ = take(&rest, "-") || take(&rest, "+")
            let power = digits(&rest)
            guard !power.isEmpty else { return false }
            exponent = saturatingValue(power, limit: limit)
        }
        return rest.isEmpty && (integer.count + fraction.count > limit || exponent > limit)
    }

    private typealias Bytes = Slice<UnsafeBufferPointer<UInt8>>

    private static func take(_ rest: inout Bytes, _ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    private static func digits(_ rest: inout Bytes) -> Bytes {
        let digits = rest.prefix(while: \.isASCIIDigit)
        rest = rest[digits.endIndex...]
        return digits
    }

    /// The number, or some number above the limit.
    private static func saturatingValue(_ digits: Bytes, limit: Int) -> Int {
        var value = 0
        for digit in digits where value <= limit { value = value * 10 + Int(digit - 0x30) }
        return value
    }
}
