/// Text that must not be seen. Printing, interpolating, dumping and mirroring show only its redacted form.
struct Secret: Equatable, Sendable {
    static let redaction = "<redacted>"

    private let value: String
    private let redacted: String

    init(_ value: String, redacted: String = Secret.redaction) {
        self.value = value
        self.redacted = redacted
    }

    /// The text itself. Call this where it is used, not before.
    func reveal() -> String { value }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { redacted }
    var debugDescription: String { redacted }
    var customMirror: Mirror { Mirror(self, children: []) }
}
