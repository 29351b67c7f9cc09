package import AskElephant
import Synchronization

/// The secrets that webhooks may be signed with, and where to read them again. More than one during a rotation.
package final class WebhookSecrets: Sendable {
    private let read: @Sendable () -> [Secret]
    private let current: Mutex<WebhookVerifier?>

    /// - Parameter read: the secrets; none while they cannot be read.
    package init(read: @escaping @Sendable () -> [Secret]) {
        self.read = read
        current = Mutex(WebhookVerifier(read()))
    }

    /// Nil if there never was a usable secret.
    package var verifier: WebhookVerifier? { current.withLock(\.self) }

    /// A file that is being written may be empty or cut off for a moment: what was there before holds until it is whole.
    /// False while it is not.
    package func reload() -> Bool {
        guard let verifier = WebhookVerifier(read()) else { return false }
        current.withLock { $0 = verifier }
        return true
    }
}
