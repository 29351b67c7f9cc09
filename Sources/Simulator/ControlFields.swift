import FoundationEssentials

/// The JSON object that comes with a verb.
struct ControlFields: Sendable {
    private let values: [String: Value]

    private enum Value: Sendable, Decodable {
        case none
        case flag(Bool)
        case number(Int)
        case text(String)
        case texts([String])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .none
            } else if let value = try? container.decode(Bool.self) {
                self = .flag(value)
            } else if let value = try? container.decode(Int.self) {
                self = .number(value)
            } else if let value = try? container.decode(String.self) {
                self = .text(value)
            } else {
                self = .texts(try container.decode([String].self))
            }
        }
    }

    /// - Parameters:
    ///   - body: an object; nothing at all is one without fields.
    ///   - allowed: names, of which those that may be left out end in a question mark.
    init(_ body: [UInt8], allowed: [String]) throws(ControlError) {
        let list = allowed.isEmpty ? "none" : allowed.joined(separator: ", ")
        guard let values = body.isEmpty ? [:] : try? JSONDecoder().decode([String: Value].self, from: Data(body))
        else {
            throw ControlError("The body is no JSON object of plain values. Its fields are: \(list).")
        }
        if let unknown = values.keys.sorted().first(where: { !allowed.contains($0) && !allowed.contains("\($0)?") }) {
            throw ControlError("There is no field \(unknown). The fields are: \(list).")
        }
        self.values = values
    }

    func text(_ name: String) throws(ControlError) -> String {
        guard let text = try optionalText(name) else { throw ControlError("\(name) must be a text.") }
        return text
    }

    func optionalText(_ name: String) throws(ControlError) -> String? {
        switch values[name] ?? .none {
        case .none: return nil
        case .text(let value): return value
        default: throw ControlError("\(name) must be a text.")
        }
    }

    func flag(_ name: String) throws(ControlError) -> Bool? {
        switch values[name] ?? .none {
        case .none: return nil
        case .flag(let value): return value
        default: throw ControlError("\(name) must be true or false.")
        }
    }

    func number(_ name: String) throws(ControlError) -> Int {
        guard let number = try optionalNumber(name) else { throw Self.noNumber(name) }
        return number
    }

    /// Up to a million, which is more than any field needs.
    func optionalNumber(_ name: String) throws(ControlError) -> Int? {
        switch values[name] ?? .none {
        case .none: return nil
        case .number(let value) where (0...1_000_000).contains(value): return value
        default: throw Self.noNumber(name)
        }
    }

    private static func noNumber(_ name: String) -> ControlError {
        ControlError("\(name) must be a whole number from 0 to 1000000.")
    }

    func scopes(_ name: String) throws(ControlError) -> Set<String>? {
        switch values[name] ?? .none {
        case .none: return nil
        case .texts(let values) where values.allSatisfy(SimScope.isWellFormed): return Set(values)
        default: throw ControlError("\(name) must be a list of scopes, such as [\"contacts:read\"].")
        }
    }

    func scope() throws(ControlError) -> String {
        let scope = try text("scope")
        guard SimScope.isWellFormed(scope) else {
            throw ControlError("scope must be a scope, such as contacts:read.")
        }
        return scope
    }

    func id() throws(ControlError) -> String {
        guard let id = try optionalID() else { throw ControlError("id must be an engagement id, ngmt_….") }
        return id
    }

    func optionalID() throws(ControlError) -> String? {
        guard let id = try optionalText("id") else { return nil }
        guard Identifier.isEngagement(id) else {
            throw ControlError("id must be ngmt_ and letters or digits.")
        }
        return id
    }
}
