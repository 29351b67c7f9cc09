import Testing

@testable import AskElephant

/// Every way in which a credential can lack something and an API can say so.
struct ScopeFallbackTests {
    private static let all = Set(Expand.allCases)

    @Test func everyCaseEndsRightWithinTheBound() {
        var cases = 0
        var worst = (documented: 0, undocumented: 0)
        for api in FakeAPI.matrix {
            for tried in [nil] + Self.all.map(Optional.some) {
                cases += 1
                let run = Run(api, Self.all.subtracting([tried].compactMap(\.self)), trying: tried)
                Self.check(run, api, tried)
                if api.undocumented.isEmpty && tried == nil {
                    worst.documented = max(worst.documented, run.requests.count)
                } else {
                    worst.undocumented = max(worst.undocumented, run.requests.count)
                }
            }
        }
        print("\(cases) cases; at most \(worst.documented) requests with documented gates, else \(worst.undocumented)")
        #expect(cases > 10_000)
        #expect(worst.documented <= 6)
        #expect(worst.undocumented <= 13)
    }

    /// What is known to be denied is not asked for, and costs nothing.
    @Test func knownDenialsCostOneRequest() {
        for api in FakeAPI.matrix where api.isReadable && api.refuses {
            let wanted = Self.all.subtracting(api.unreadableParts)
            let run = Run(api, wanted)
            #expect(run.requests == [wanted])
            #expect(run.fallback.denials.isEmpty)
        }
    }

    /// A granted part that is tried costs nothing; one that is still denied costs one request.
    @Test func aTriedPartCostsAtMostOneRequest() {
        for api in FakeAPI.matrix where api.isReadable && api.refuses && !api.unreadableParts.isEmpty {
            for part in Self.all {
                let known = api.unreadableParts.subtracting([part])
                let run = Run(api, Self.all.subtracting(known).subtracting([part]), trying: part)
                let isDenied = api.unreadableParts.contains(part)
                #expect(run.requests.count == (isDenied ? 2 : 1))
                #expect(run.fallback.isGranted == !isDenied)
                #expect(run.fallback.denials.map(\.part) == (isDenied ? [part] : []))
            }
        }
    }

    /// An API that contradicts itself cannot keep us busy.
    @Test func nothingItAnswersMakesItLoop() {
        let seed = UInt64.random(in: 1...1_000_000)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        for _ in 0..<200_000 {
            let wanted = Self.all.filter { _ in Bool.random(using: &random) }
            let tried = Bool.random(using: &random) ? Expand.allCases.randomElement(using: &random) : nil
            var fallback = ScopeFallback(wanted, trying: tried)
            var requests = 1
            var step = fallback.next(Self.anyAnswer(&random))
            var asked = [fallback.first]
            while case .ask(let parts) = step {
                #expect(parts.isSubset(of: fallback.first))
                asked.append(parts)
                requests += 1
                step = fallback.next(Self.anyAnswer(&random))
            }
            #expect(requests <= ScopeFallback.requestLimit(fallback.first.count), "seed \(seed): \(asked)")
        }
    }

    /// Contract U-6: a part that the API does not know costs one request more, and denies nothing.
    @Test func anExpandThatTheAPIDoesNotTakeIsLeftOut() {
        var fallback = ScopeFallback(Self.all)
        let hint = ScopeHint(parts: [.tags])
        #expect(fallback.next(.expandRejected(hint)) == .ask(Self.all.subtracting([.tags])))
        #expect(fallback.next(.delivered) == .end(.delivered))
        #expect(fallback.denials.isEmpty)
        var nameless = ScopeFallback(Self.all)
        #expect(nameless.next(.expandRejected(ScopeHint())) == .ask([]))
        #expect(nameless.next(.expandRejected(ScopeHint())) == .end(.other))
    }

    // MARK: -

    private static func check(_ run: Run, _ api: FakeAPI, _ tried: Expand?) {
        let fallback = run.fallback
        guard api.isReadable else {
            let isHidden = api.isPrivate && api.hidesPrivate && api.scopes.contains(.engagementsRead)
            if isHidden {
                #expect(run.end == .other && run.requests.count == 1, "\(api)")
            } else if case .refused(let saysPrivate) = run.end {
                #expect(!saysPrivate || api.isPrivate, "\(api)")
            } else {
                Issue.record("\(api): \(run.end)")
            }
            #expect(fallback.denials.isEmpty, "\(api)")
            return
        }
        #expect(run.end == .delivered, "\(api)")
        let unreadable = api.refuses ? api.unreadableParts : []
        #expect(fallback.delivered == all.subtracting(unreadable), "\(api)")
        #expect(Set(fallback.denials.map(\.part)) == unreadable, "\(api)")
        for denial in fallback.denials {
            let proof = run.refused.contains { refused in
                run.delivered.contains { refused.subtracting($0) == [denial.part] }
            }
            #expect(proof, "\(denial.part) is denied without evidence: \(api)")
            #expect(denial.requestID != nil)
        }
        #expect(fallback.isGranted == (tried.map { !unreadable.contains($0) } ?? false))
    }

    private static func anyAnswer(_ random: inout SeededRandom) -> ScopeFallback.Answer {
        let hint = ScopeHint(
            scopes: Set(Scope.allCases.filter { _ in Int.random(in: 0..<5, using: &random) == 0 }),
            parts: all.filter { _ in Int.random(in: 0..<5, using: &random) == 0 })
        return switch Int.random(in: 0..<12, using: &random) {
        case 0: .expandRejected(hint)
        case 1: .other
        case 2...4: .delivered
        default: .forbidden(hint, requestID: "rid")
        }
    }
}

/// A whole run against an API, with what was asked and what came of it.
private struct Run {
    var fallback: ScopeFallback
    var requests: [Set<Expand>] = []
    var refused: [Set<Expand>] = []
    var delivered: [Set<Expand>] = []
    var end = ScopeFallback.End.other

    init(_ api: FakeAPI, _ wanted: Set<Expand>, trying: Expand? = nil) {
        fallback = ScopeFallback(wanted, trying: trying)
        var asked = fallback.first
        while requests.count < 100 {
            requests.append(asked)
            let answer = api.answer(asked, number: requests.count)
            switch answer {
            case .delivered: delivered.append(asked)
            case .forbidden: refused.append(asked)
            default: break
            }
            switch fallback.next(answer) {
            case .ask(let parts): asked = parts
            case .end(let end):
                self.end = end
                return
            }
        }
    }
}

/// An API that has an opinion on scopes, and a way of putting it.
private struct FakeAPI: Sendable {
    enum Style: CaseIterable {
        case nothing, detail, errors, errorsByPart, challenge, allRequired, firstMissing, firstRequired, wrongScope
    }

    var scopes: Set<Scope>
    var style: Style
    var isPrivate: Bool
    var hidesPrivate: Bool
    var refuses: Bool
    /// Parts that need a scope of which no page speaks, and which the credential lacks.
    var undocumented: Set<Expand>

    static var matrix: [FakeAPI] {
        let gated: [Scope] = [.companiesRead, .contactsRead, .usersRead]
        var all: [FakeAPI] = []
        for subset in 0..<(1 << gated.count) {
            let held = Set(gated.indices.filter { subset & (1 << $0) != 0 }.map { gated[$0] })
            for base: Set<Scope> in [[], [.engagementsRead], [.engagementsRead, .engagementsPrivateRead]] {
                for style in Style.allCases {
                    for flags in 0..<8 {
                        for undocumented: Set<Expand> in [[], [.signals], [.transcript, .tags]] {
                            all.append(
                                FakeAPI(
                                    scopes: held.union(base), style: style, isPrivate: flags & 1 != 0,
                                    hidesPrivate: flags & 2 != 0, refuses: flags & 4 != 0, undocumented: undocumented))
                        }
                    }
                }
            }
        }
        return all
    }

    var isReadable: Bool {
        scopes.contains(.engagementsRead) && (!isPrivate || scopes.contains(.engagementsPrivateRead))
    }

    var unreadableParts: Set<Expand> {
        undocumented.union(Expand.allCases.filter { $0.scope.map { !scopes.contains($0) } ?? false })
    }

    func answer(_ asked: Set<Expand>, number: Int) -> ScopeFallback.Answer {
        if scopes.contains(.engagementsRead), isPrivate, hidesPrivate, !isReadable { return .other }
        let bad = refuses ? asked.intersection(unreadableParts) : []
        if isReadable && bad.isEmpty { return .delivered }
        return .forbidden(ScopeHint(problem(asked)), requestID: "rid_\(number)")
    }

    private func problem(_ asked: Set<Expand>) -> Problem {
        let parts = Expand.allCases.filter(asked.contains)
        let names = parts.map { $0.scope?.rawValue ?? "\($0.rawValue):read" }
        let gatedNames = zip(parts, names).filter { $0.0.scope != nil || undocumented.contains($0.0) }.map(\.1)
        let required =
            ["engagements:read"] + (isPrivate ? ["engagements:private:read"] : []) + (refuses ? gatedNames : [])
        let held = Set(scopes.map(\.rawValue))
        let missing = required.filter { !held.contains($0) }
        switch style {
        case .nothing: return Problem(title: "Forbidden", status: 403)
        case .detail: return Problem(detail: "The credential lacks: \(missing.joined(separator: ", ")).")
        case .errors:
            return Problem(
                errors: missing.map { .init(field: "expand", code: "missing_scope", message: "\($0) is required") })
        case .errorsByPart:
            let bad = refuses ? parts.filter(unreadableParts.contains) : []
            return Problem(errors: bad.map { .init(field: "expand.\($0.rawValue)", code: "forbidden") })
        case .challenge:
            let scope = missing.joined(separator: " ")
            return Problem(challenges: ["Bearer error=\"insufficient_scope\", scope=\"\(scope)\""])
        case .allRequired: return Problem(detail: "Requires \(required.joined(separator: ", ")).")
        case .firstMissing: return Problem(detail: "Missing scope \(missing.first ?? "")")
        case .firstRequired: return Problem(detail: "Requires \(required.first ?? "")")
        case .wrongScope: return Problem(detail: "See tags:write, users:read and contacts:read.")
        }
    }
}
