package import Simulator

/// One way in which a token may lack permissions, and in which the API may say so.
package struct ScopeCase: Sendable, CustomStringConvertible {
    /// How many engagements a case has.
    package static let engagements = 8
    package static let gated = [SimScope.companies, SimScope.contacts, SimScope.users]

    /// Those of the gated scopes that the token has.
    package var held: Set<String>
    package var style: Switches.ForbiddenStyle
    package var missingExpandScope: Switches.MissingExpandScope
    package var privateWithoutScope: Switches.PrivateWithoutScope
    /// Which of the engagements are private, in the order in which they are queued.
    package var privates: Set<Int>
    package var opensPrivate: Bool
    /// A part that needs a scope of which no page speaks, or which no page ties to it; the token lacks it.
    package var gate: (part: SimPart, scope: String)?

    /// So many cases; each value of everything is in several of them.
    package static func draw(_ count: Int, seed: UInt64) -> [ScopeCase] {
        var random = SeededRandom(seed: seed)
        func column<Value>(_ values: [Value]) -> [Value] {
            (0..<count).map { values[$0 % values.count] }.shuffled(using: &random)
        }
        let held = column((0..<8).map { bits in Set(gated.indices.filter { bits >> $0 & 1 == 1 }.map { gated[$0] }) })
        let styles = column(Switches.ForbiddenStyle.allCases)
        let missing = column(Switches.MissingExpandScope.allCases)
        let hidden = column(Switches.PrivateWithoutScope.allCases)
        let privates = column([[], [0, 1], [3, 6], [0, 5]] as [Set<Int>])
        let opens = column([true, false])
        let gates = column(
            [
                nil, (.signals, "signals:read"), nil, (.transcript, "transcript_timelines:read"), nil,
                (.contacts, "people:read"),
            ] as [(SimPart, String)?])
        return (0..<count).map { number in
            ScopeCase(
                held: held[number], style: styles[number], missingExpandScope: missing[number],
                privateWithoutScope: hidden[number], privates: privates[number], opensPrivate: opens[number],
                gate: gates[number])
        }
    }

    /// The parts that the token may not read.
    package var unreadable: Set<String> {
        let parts = SimPart.allCases.filter { part in
            part == gate?.part || part.scope.map { !held.contains($0) } ?? false
        }
        return Set(parts.map(\.rawValue))
    }

    /// The engagements that it may not read at all.
    package var hidden: Set<Int> { opensPrivate ? [] : privates }

    package var scopes: Set<String> {
        held.union([SimScope.engagements]).union(opensPrivate ? [SimScope.privateEngagements] : [])
    }

    package func set(_ switches: inout Switches) {
        switches = Switches()
        switches.forbiddenStyle = style
        switches.missingExpandScope = missingExpandScope
        switches.privateWithoutScope = privateWithoutScope
        if let gate { switches.extraGates = [gate.part: gate.scope] }
    }

    package var description: String {
        let gate = gate.map { "\($0.part.rawValue) needs \($0.scope)" } ?? "no other gate"
        return """
            holds \(held.sorted()), \(style.rawValue), \(missingExpandScope.rawValue), private \(privates.sorted()) \
            \(opensPrivate ? "open" : privateWithoutScope.rawValue), \(gate)
            """
    }
}
