import Enrichment
import Synchronization

/// What became of requests, counted; a refusal is logged when its cause comes up, then once a minute at most.
final class Tally: Sendable {
    /// Why a request was refused.
    enum Refusal: String, CaseIterable, Sendable {
        /// No HTTP/1.1, or a head that is too large.
        case garbage
        /// The head or the body did not come in time, or never ended.
        case incomplete
        case wrongPath = "wrong_path"
        case wrongMethod = "wrong_method"
        case tooLarge = "too_large"
        case unsigned
        case tooOld = "too_old"
        case tooNew = "too_new"
        case forged
        /// Signed, but no JSON object.
        case malformed

        fileprivate var hint: LogValue {
            switch self {
            case .forged: "if these are AskElephant's: put the endpoint's present secret into the file of secrets"
            case .tooOld, .tooNew: "if these are AskElephant's: set this host's clock"
            case .unsigned, .garbage, .incomplete, .wrongPath, .wrongMethod, .tooLarge, .malformed: .null
            }
        }
    }

    struct Counts: Sendable {
        var stored = 0
        var repeated = 0
        var ignored = 0
        var refused = 0
        /// Answered with 503.
        var unavailable = 0
    }

    private static let interval: Duration = .seconds(60)

    private struct State {
        var counts = Counts()
        var unsaid: [Refusal: Int] = [:]
        var saidAt: [Refusal: ContinuousClock.Instant] = [:]
    }

    private let state = Mutex(State())
    private let log: Log

    init(log: Log) { self.log = log }

    var counts: Counts { state.withLock(\.counts) }

    func note(_ change: @Sendable (inout Counts) -> Void) { state.withLock { change(&$0.counts) } }

    func refused(_ refusal: Refusal) {
        let now = ContinuousClock.now
        let count: Int? = state.withLock { state in
            state.counts.refused += 1
            state.unsaid[refusal, default: 0] += 1
            if let saidAt = state.saidAt[refusal], now - saidAt < Self.interval { return nil }
            state.saidAt[refusal] = now
            return state.unsaid.removeValue(forKey: refusal)
        }
        guard let count else { return }
        log(
            .warning, .webhookRefused, "a request is no webhook that we take",
            [.cause: .string(refusal.rawValue), .n: .integer(count), .hint: refusal.hint])
    }
}
