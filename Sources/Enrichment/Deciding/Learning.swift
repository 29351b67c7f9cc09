import AskElephant

/// What is known of the parts that a credential may read, and who may send while something new is being learned: pure.
///
/// One job learns, the others wait for what it learns. The first request of a credential that never read anything goes
/// out alone. Later, the first refusal of what was readable until now makes its job the learner; one more job is sent for
/// comparison, and nothing else until the learner has learned or the comparison was delivered. In the latter case the
/// refusal was the engagement's own matter (it is private), and everybody goes on: also those who were refused before
/// the comparison was sent. Requests that were under way at the first refusal prove nothing, whatever order they were
/// sent in. A learner whose request hangs does not stop the others for long: five seconds after its last answer another one
/// learns.
struct Learning {
    struct Learner: Equatable { fileprivate let number: Int }

    /// What a job that was refused is to do.
    enum Turn: Equatable {
        /// Ask again: it was refused for a part that is known to be denied by now.
        case askAgain
        /// Find out, for all.
        case learn(Learner)
        /// Find out, for itself alone: others read the same parts meanwhile.
        case goOn
        /// Somebody finds out.
        case wait
    }

    private static let patience: Duration = .seconds(5)

    let wanted: Set<Expand>
    private(set) var denied: Set<Expand> = []
    /// Something was read with this credential at some time.
    private(set) var isKnown = false
    private var learner: Learner?
    /// When the learner began, or was answered last.
    private var learnerSince: ContinuousClock.Instant?
    /// Since when a refusal is looked into.
    private var suspectSince: ContinuousClock.Instant?
    private var isComparing = false
    /// Something was delivered whole that was sent then, after a refusal.
    private var provenAt: ContinuousClock.Instant?
    private var count = 0

    init(wanted: Set<Expand>) { self.wanted = wanted }

    var allowed: Set<Expand> { wanted.subtracting(denied) }
    /// Whoever wants to send waits.
    func isBusy(_ now: ContinuousClock.Instant) -> Bool {
        learner != nil && learnerSince.map { now - $0 < Self.patience } ?? false
    }

    /// The first request of an unknown credential goes out alone, and so does one after a learner that hangs.
    mutating func begin(_ now: ContinuousClock.Instant) -> Learner? {
        guard !isBusy(now), learner != nil || !isKnown else { return nil }
        return makeLearner(now)
    }

    /// One job may go ahead for comparison while a refusal is looked into.
    mutating func beginComparison() -> Learner? {
        guard suspectSince != nil, !isComparing else { return nil }
        isComparing = true
        return learner
    }

    /// A job that went ahead for comparison with this learner has ended, and told nothing if that one still learns.
    mutating func endComparison(with learner: Learner) {
        if self.learner == learner { isComparing = false }
    }

    /// A request for these parts, sent then, was refused.
    mutating func refused(
        _ parts: Set<Expand>, sent: ContinuousClock.Instant, now: ContinuousClock.Instant
    ) -> Turn {
        if !parts.isDisjoint(with: denied) { return .askAgain }
        if let provenAt, provenAt > sent { return .goOn }
        guard !isBusy(now) else { return .wait }
        suspectSince = now
        return .learn(makeLearner(now))
    }

    /// A request for these parts, sent then, was delivered.
    mutating func delivered(_ parts: Set<Expand>, sent: ContinuousClock.Instant) {
        guard let suspectSince, sent >= suspectSince, parts.isSuperset(of: allowed) else { return }
        provenAt = sent
        end()
    }

    /// A request of the learner was answered.
    mutating func progressed(_ learner: Learner, now: ContinuousClock.Instant) {
        if self.learner == learner { learnerSince = now }
    }

    mutating func ended(_ learner: Learner) {
        if self.learner == learner { end() }
    }

    mutating func know() { isKnown = true }

    /// What is denied now; true if that is new.
    mutating func setDenied(_ parts: Set<Expand>) -> Bool {
        guard parts != denied else { return false }
        denied = parts
        provenAt = nil
        return true
    }

    private mutating func makeLearner(_ now: ContinuousClock.Instant) -> Learner {
        count += 1
        learnerSince = now
        isComparing = false
        let new = Learner(number: count)
        learner = new
        return new
    }

    private mutating func end() {
        learner = nil
        suspectSince = nil
        isComparing = false
    }
}
