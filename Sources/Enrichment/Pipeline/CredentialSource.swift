package import AskElephant
import Synchronization

/// The credential in use, and where to read it again.
package final class CredentialSource: Sendable {
    private let read: @Sendable () -> Secret?
    private let current: Mutex<Credential?>

    /// - Parameter read: the raw token; nil when there is none at present.
    package init(read: @escaping @Sendable () -> Secret?) {
        self.read = read
        current = Mutex(read().flatMap(Credential.init))
    }

    /// Nil when there is no token, or none that fits a header: as good as a refused one.
    package var credential: Credential? { current.withLock(\.self) }

    /// Reads the token again, as on SIGHUP.
    package func reload() {
        let credential = read().flatMap(Credential.init)
        current.withLock { $0 = credential }
    }
}
