/// A switch by name, as `simulate --switch` and the control endpoint have it.
package struct NamedSwitch: Sendable {
    /// In the API's spelling, `forbidden_style`; a gate is `gate.` and its part.
    package let name: String
    /// What it may be set to, the default first.
    package let allowed: Allowed
    private let read: @Sendable (Switches) -> String
    private let write: @Sendable (inout Switches, String) -> Bool

    package enum Allowed: Sendable, Equatable {
        case words([String])
        /// `none`, or any scope, known to anybody or not.
        case scope
    }

    package func value(in switches: Switches) -> String {
        read(switches)
    }

    /// - Returns: false, and nothing is changed, when the value is none of those allowed.
    package func set(_ value: String, in switches: inout Switches) -> Bool {
        write(&switches, value)
    }

    /// The values in words, for messages.
    package var allowedText: String {
        switch allowed {
        case .words(let words): words.joined(separator: ", ")
        case .scope: "none, or a scope such as signals:read"
        }
    }

    private init<Value>(_ name: String, _ path: any WritableKeyPath<Switches, Value> & Sendable)
    where Value: CaseIterable & RawRepresentable<String> & SendableMetatype {
        self.name = name
        allowed = .words(Value.allCases.map(\.rawValue))
        read = { $0[keyPath: path].rawValue }
        write = { switches, text in
            guard let value = Value(rawValue: text) else { return false }
            switches[keyPath: path] = value
            return true
        }
    }

    private init(gateOf part: SimPart) {
        name = "gate.\(part.rawValue)"
        allowed = .scope
        read = { $0.extraGates[part] ?? "none" }
        write = { switches, text in
            guard text == "none" || SimScope.isWellFormed(text) else { return false }
            switches.extraGates[part] = text == "none" ? nil : text
            return true
        }
    }
}

extension NamedSwitch {
    /// Every switch there is.
    package static let all: [NamedSwitch] =
        [
            NamedSwitch("forbidden_style", \.forbiddenStyle),
            NamedSwitch("missing_expand_scope", \.missingExpandScope),
            NamedSwitch("private_without_scope", \.privateWithoutScope),
            NamedSwitch("admin_and_private", \.adminAndPrivate),
            NamedSwitch("challenge", \.challenge),
            NamedSwitch("bad_parameter", \.badParameter),
            NamedSwitch("expand_form", \.expandForm),
            NamedSwitch("error_media_type", \.errorMediaType),
            NamedSwitch("problem_type", \.problemType),
            NamedSwitch("retry_after", \.retryAfter),
            NamedSwitch("fault", \.fault),
            NamedSwitch("conditional_get", \.conditionalGet),
            NamedSwitch("api_version", \.apiVersion),
            NamedSwitch("without_value", \.withoutValue),
            NamedSwitch("empty_parts", \.emptyParts),
            NamedSwitch("nested", \.nested),
            NamedSwitch("crm_keys", \.crmKeys),
            NamedSwitch("enum_values", \.enumValues),
            NamedSwitch("timestamps", \.timestamps),
            NamedSwitch("list_limit", \.listLimit),
            NamedSwitch("cursors", \.cursors),
            NamedSwitch("list_action_items", \.listActionItems),
        ] + SimPart.allCases.map(NamedSwitch.init(gateOf:))

    package static func named(_ name: String) -> NamedSwitch? {
        all.first { $0.name == name }
    }
}

/// Why a switch was not set, as a sentence that names what is allowed.
package struct SwitchError: Error, Equatable, CustomStringConvertible {
    package let description: String
}

extension Switches {
    /// Sets one switch by name.
    package mutating func set(_ name: String, to value: String) throws(SwitchError) {
        guard let named = NamedSwitch.named(name) else {
            let names = NamedSwitch.all.map(\.name).joined(separator: ", ")
            throw SwitchError(description: "There is no switch \(name). The switches are: \(names).")
        }
        guard named.set(value, in: &self) else {
            throw SwitchError(description: "\(name) cannot be \(value). It may be: \(named.allowedText).")
        }
    }
}
