/// Text that must not be seen. Printing, interpolating, dumping and mirroring show only its redacted form.
package struct Secret: Hashable, Sendable {
    package static let redaction = "<redacted>"

    private let value: String
    private let redacted: String

    /// - Parameter redacted: what is shown instead, where more can be said.
    package init(_ value: String, redacted: String = Secret.redaction) {
        self.value = value
        self.redacted = redacted
    }

    /// The text itself. Call this where it is used, not before.
    package func reveal() -> String { value }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { redacted }
    package var debugDescription: String { redacted }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
