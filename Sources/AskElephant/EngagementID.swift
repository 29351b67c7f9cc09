/// The id of an engagement, known to match `^ngmt_[A-Za-z0-9]{1,64}$` (contract section 4), so it may stand in a path
/// as it is.
package struct EngagementID: Sendable, Hashable, CustomStringConvertible {
    package let rawValue: String

    /// Nil for anything that is not an engagement id: people can insert any text into the queue.
    package init?(_ text: String) {
        let prefix = "ngmt_".utf8
        let bytes = text.utf8
        guard bytes.starts(with: prefix) else { return nil }
        let suffix = bytes.dropFirst(prefix.count)
        guard (1...64).contains(suffix.count), suffix.allSatisfy({ $0.isASCIILetter || $0.isASCIIDigit }) else {
            return nil
        }
        rawValue = text
    }

    package var description: String { rawValue }
}
