/// Which values may be shown: short ones of a kind that says nothing of the conversation or of people.
enum PlainValue {
    private static let limit = 64
    private static let names: Set<String> = [
        "id", "object", "status", "type", "role", "data_source", "_unreadable_cause",
    ]
    private static let endings = ["_at", "_id", "_since", "_status", "_type"]

    /// The value of a field as it may be shown: numbers, truth values and null of any field, texts of states, types, times
    /// and ids. Nil for everything else.
    ///
    /// - Parameter json: the value as JSON text.
    static func shown(_ json: String?, of name: String) -> String? {
        guard let json, json.utf8.count <= limit, let first = json.utf8.first else { return nil }
        switch first {
        case UInt8(ascii: "\""):
            guard names.contains(name) || endings.contains(where: name.hasSuffix) else { return nil }
            return word(String(json.dropFirst().dropLast()))
        case UInt8(ascii: "{"), UInt8(ascii: "["): return nil
        default: return json
        }
    }

    /// The text if it looks like an id, a state or a time; an address of a person or a page does not.
    static func word(_ text: String) -> String? {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: ":"), UInt8(ascii: "+"):
                true
            default: false
            }
        }
        return isPlain && text.utf8.count <= limit ? text : nil
    }

    /// A field's name or a part's: whoever writes the document chooses it.
    static func name(_ text: String) -> String { TextWidth.truncated(TextEscaper.visible(text), to: limit) }
}
