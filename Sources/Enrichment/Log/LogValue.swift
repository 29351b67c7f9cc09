/// The value of one field.
package enum LogValue: Equatable, Sendable {
    case null
    case string(String)
    case integer(Int)
    /// Not a number and the infinities are written as null.
    case double(Double)
    case boolean(Bool)
    case strings([String])
}

extension LogValue {
    /// The text, or null where there is none.
    package init(_ value: String?) {
        self = value.map(LogValue.string) ?? .null
    }

    /// The number, or null where there is none. Numbers beyond 64 bits are clamped.
    package init(_ value: (some BinaryInteger)?) {
        self = value.map { .integer(Int(clamping: $0)) } ?? .null
    }

    /// The number, or null where there is none.
    package init(_ value: Double?) {
        self = value.map(LogValue.double) ?? .null
    }
}

extension LogValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(booleanLiteral value: Bool) { self = .boolean(value) }
    package init(nilLiteral: ()) { self = .null }
    package init(arrayLiteral elements: String...) { self = .strings(elements) }
}

extension LogValue: Encodable {
    package func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .string(let text): try value.encode(text)
        case .integer(let number): try value.encode(number)
        case .double(let number) where number.isFinite: try value.encode(number)
        case .null, .double: try value.encodeNil()
        case .boolean(let truth): try value.encode(truth)
        case .strings(let texts): try value.encode(texts)
        }
    }
}
