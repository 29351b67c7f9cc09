/// A JSON value whose objects keep their order, for `--output json`.
enum JSONText: Equatable, Sendable {
    case null
    case string(String)
    case integer(Int)
    /// Not a number and the infinities are written as null.
    case double(Double)
    case boolean(Bool)
    case array([JSONText])
    case object([Member])

    struct Member: Equatable, Sendable {
        var name: String
        var value: JSONText
    }

    /// The text, or null where there is none.
    init(_ text: String?) {
        self = text.map(JSONText.string) ?? .null
    }

    /// The number, or null where there is none.
    init(_ number: (some BinaryInteger)?) {
        self = number.map { .integer(Int(clamping: $0)) } ?? .null
    }

    /// Indented by two spaces for people who look at it, or on one line for those who stream. No line end follows.
    func text(isIndented: Bool = true) -> String {
        var bytes: [UInt8] = []
        append(to: &bytes, indent: isIndented ? 0 : nil)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func append(to bytes: inout [UInt8], indent: Int?) {
        switch self {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .string(let text): Self.appendString(text, to: &bytes)
        case .integer(let number): bytes.append(contentsOf: String(number).utf8)
        case .double(let number): bytes.append(contentsOf: (number.isFinite ? "\(number)" : "null").utf8)
        case .boolean(let truth): bytes.append(contentsOf: (truth ? "true" : "false").utf8)
        case .array(let values):
            Self.appendList(values, "[", "]", to: &bytes, indent: indent) { value, bytes, indent in
                value.append(to: &bytes, indent: indent)
            }
        case .object(let members):
            Self.appendList(members, "{", "}", to: &bytes, indent: indent) { member, bytes, indent in
                Self.appendString(member.name, to: &bytes)
                bytes.append(contentsOf: (indent == nil ? ":" : ": ").utf8)
                member.value.append(to: &bytes, indent: indent)
            }
        }
    }

    private static func appendList<Item>(
        _ items: [Item], _ open: String, _ close: String, to bytes: inout [UInt8], indent: Int?,
        each: (Item, inout [UInt8], Int?) -> Void
    ) {
        let inner = indent.map { $0 + 2 }
        bytes.append(contentsOf: open.utf8)
        for (index, item) in items.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            appendLineEnd(to: &bytes, indent: inner)
            each(item, &bytes, inner)
        }
        if !items.isEmpty { appendLineEnd(to: &bytes, indent: indent) }
        bytes.append(contentsOf: close.utf8)
    }

    private static func appendLineEnd(to bytes: inout [UInt8], indent: Int?) {
        guard let indent else { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent))
    }

    private static func appendString(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        TextEscaper.append(text, to: &bytes, limit: nil)
        bytes.append(UInt8(ascii: "\""))
    }
}

extension JSONText: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    init(stringLiteral value: String) { self = .string(value) }
    init(integerLiteral value: Int) { self = .integer(value) }
    init(booleanLiteral value: Bool) { self = .boolean(value) }
    init(nilLiteral: ()) { self = .null }
    init(arrayLiteral elements: JSONText...) { self = .array(elements) }
    init(dictionaryLiteral elements: (String, JSONText)...) {
        self = .object(elements.map { Member(name: $0, value: $1) })
    }
}
