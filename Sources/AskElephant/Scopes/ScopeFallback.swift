/// Which request to send next for one engagement, so that a part which the credential may not read costs only itself:
/// pure, an answer goes in and the next request or the end comes out (contract section 8).
///
/// Down: while the answer is 403, ask for less: without the part that is being tried, without what the refusal names
/// (once), without the parts that need a scope, without any. Up: from the first answer on, ask for one of the dropped
/// parts more at a time. A part counts as denied only when this engagement was refused with it and delivered without
/// it, all else being equal; so a private engagement, which is refused whatever is asked for, denies no part.
///
/// Every step down happens at most once and every step up settles a part, so there are at most ``requestLimit(_:)``
/// requests: 6 when only documented parts are refused, 13 in all with eight parts and one that is tried.
package struct ScopeFallback: Sendable {
    package enum Answer: Sendable {
        /// 200
        case delivered
        /// 403
        case forbidden(ScopeHint, requestID: String?)
        /// 400 or 422 that blames `expand` (U-6).
        case expandRejected(ScopeHint)
        /// Anything else: the end, whatever it is.
        case other
    }

    package enum Step: Sendable, Hashable {
        case ask(Set<Expand>)
        case end(End)
    }

    package enum End: Sendable, Hashable {
        /// The last answer with 200 is the one to keep; it was asked for ``ScopeFallback/delivered``.
        case delivered
        /// Refused even without any part, or because it is private. `saysPrivate`: the refusal named the private scope
        /// and not the base scope.
        case refused(saysPrivate: Bool)
        /// The last answer was none of these.
        case other
    }

    /// A part that the credential may not read, with the request that was refused because of it.
    package struct Denial: Sendable, Hashable {
        package var part: Expand
        package var requestID: String?
    }

    private let wanted: Set<Expand>
    private let tried: Expand?
    private var asked: Set<Expand>
    private var refusals: [(asked: Set<Expand>, requestID: String?)] = []
    private var hasUsedHint = false
    private var isRejected = false
    /// The parts of the last request that was answered with 200.
    package private(set) var delivered: Set<Expand>?
    package private(set) var denials: [Denial] = []

    /// The most requests for an engagement, whatever is answered.
    package static func requestLimit(_ parts: Int) -> Int { 5 + parts }

    /// - Parameters:
    ///   - wanted: what to ask for, without the parts that are known to be denied.
    ///   - trying: a denied part that is tried again along with them.
    package init(_ wanted: Set<Expand>, trying: Expand? = nil) {
        self.wanted = trying.map { wanted.union([$0]) } ?? wanted
        tried = trying
        asked = self.wanted
    }

    package var first: Set<Expand> { wanted }

    /// The part that was tried is readable.
    package var isGranted: Bool {
        guard let tried, let delivered else { return false }
        return delivered.contains(tried)
    }

    /// A refusal of these parts would be the first one without the part that is tried: it may be news for all.
    package func isDoubtful(_ parts: Set<Expand>) -> Bool {
        delivered == nil && parts == wanted.subtracting(tried.map { [$0] } ?? [])
    }

    package mutating func next(_ answer: Answer) -> Step {
        switch answer {
        case .other: return .end(.other)
        case .delivered:
            delivered = asked
            return isRejected ? .end(.delivered) : up()
        case .expandRejected(let hint):
            guard delivered == nil else { return .end(.delivered) }
            guard !isRejected, !asked.isEmpty else { return .end(.other) }
            isRejected = true
            let named = hint.named(among: asked)
            return ask(named.isEmpty ? [] : asked.subtracting(named))
        case .forbidden(let hint, let requestID):
            refusals.append((asked, requestID))
            return delivered == nil ? down(hint) : up()
        }
    }

    private mutating func down(_ hint: ScopeHint) -> Step {
        // Along with the base scope it may be a list of what is required, held or not.
        if asked.isEmpty || hint.saysPrivateAlone(of: asked) {
            return .end(.refused(saysPrivate: hint.saysPrivateAlone(of: asked)))
        }
        if let tried, asked.contains(tried) { return ask(asked.subtracting([tried])) }
        if !hasUsedHint, case let named = hint.named(among: asked), !named.isEmpty {
            hasUsedHint = true
            return ask(asked.subtracting(named))
        }
        let free = asked.filter { $0.scope == nil }
        return ask(free == asked ? [] : free)
    }

    private mutating func up() -> Step {
        guard let delivered else { preconditionFailure("nothing was delivered yet") }
        for part in Expand.allCases where wanted.contains(part) && !delivered.contains(part) {
            if denials.contains(where: { $0.part == part }) { continue }
            guard let proof = refusals.last(where: { $0.asked.subtracting(delivered) == [part] }) else {
                return ask(delivered.union([part]))
            }
            denials.append(Denial(part: part, requestID: proof.requestID))
        }
        return .end(.delivered)
    }

    private mutating func ask(_ parts: Set<Expand>) -> Step {
        asked = parts
        return .ask(parts)
    }
}
