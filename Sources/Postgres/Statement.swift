/// One SQL statement with a name: the name labels errors and the prepared statement on the server.
///
/// The text comes from embedded bytes or a `StaticString`, never from a `String`, so text assembled at run time does not
/// fit; values travel as ``Parameter``.
package struct Statement: Sendable {
    package let name: String
    package let text: String

    /// A statement from the bytes of an embedded file. They are our own, so bad UTF-8 is a defect.
    package init(name: StaticString, embedded bytes: [UInt8]) {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            preconditionFailure("the embedded statement \(name) is not UTF-8")
        }
        self.name = String(describing: name)
        self.text = text
    }

    package init(name: StaticString, sql: StaticString) {
        self.name = String(describing: name)
        self.text = String(describing: sql)
    }
}
