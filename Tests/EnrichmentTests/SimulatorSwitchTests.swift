import Testing

@testable import Simulator

/// Each value of each switch is told from every other value of it by what comes over HTTP.
@Suite(.timeLimit(.minutes(5))) struct SimulatorSwitchTests {
    /// What a client reads, and what that is for each value.
    struct Probe: Sendable {
        let expected: [String: String]
        let read: @Sendable (RemoteSimulator) async throws -> String
    }

    @Test(arguments: NamedSwitch.all.map(\.name))
    func everyValueShows(_ name: String) async throws {
        let named = try #require(NamedSwitch.named(name))
        let probe = try #require(Self.probe(name), "no probe covers \(name)")
        let values = if case .words(let words) = named.allowed { words } else { ["none", "unheard:of"] }
        #expect(Set(probe.expected.keys) == Set(values), "the probe covers each value")
        #expect(Set(probe.expected.values).count == values.count, "no two values look alike")
        var settings = SimulatorSettings()
        if name == "empty_parts" { settings.children = 0...0 }
        try await RemoteSimulator.run(settings) { remote in
            for value in values {
                let set = try await remote.control("switch", #"{"name":"\#(name)","value":"\#(value)"}"#)
                #expect(set.json?["switches"]?[name]?.text == value)
                #expect(try await probe.read(remote) == probe.expected[value], "\(name)=\(value)")
            }
        }
    }

    @Test func everySwitchHasANameAndStartsWithItsFirstValue() {
        let fields = Mirror(reflecting: Switches()).children.compactMap(\.label).filter { $0 != "extraGates" }
        #expect(NamedSwitch.all.count == fields.count + SimPart.allCases.count)
        for named in NamedSwitch.all {
            let first = if case .words(let words) = named.allowed { words[0] } else { "none" }
            #expect(named.value(in: Switches()) == first)
        }
    }

    @Test func whatIsNotAllowedChangesNothingAndNamesWhatIs() {
        var switches = Switches()
        for (name, value, words) in [
            ("nested", "x", "varied, plain"), ("nest", "plain", "nested, crm_keys"), ("gate.tags", "", "signals:read"),
            ("gate.tags", "a b", "signals:read"), ("gate.title", "a:b", "gate.tags"),
        ] {
            let error = #expect(throws: SwitchError.self) { try switches.set(name, to: value) }
            #expect(error?.description.contains(words) == true)
        }
        #expect(switches == Switches())
    }

    private static func probe(_ name: String) -> Probe? {
        if name.hasPrefix("gate.") { return gate(String(name.dropFirst("gate.".count))) }
        return refusals[name] ?? answers[name] ?? lists[name]
    }

    /// The scope that the gate asks for is granted at the end, and helps.
    private static func gate(_ part: String) -> Probe {
        Probe(expected: ["none": "200 200", "unheard:of": "403 200"]) { remote in
            let before = try await remote.get(remote.world.id(1), part).status
            _ = try await remote.control("grant", #"{"scope":"unheard:of"}"#)
            let after = try await remote.get(remote.world.id(1), part).status
            _ = try await remote.control("revoke", #"{"scope":"unheard:of"}"#)
            return "\(before) \(after)"
        }
    }

    private static let lists: [String: Probe] = [
        "list_limit": Probe(expected: ["refused": "422 0", "capped": "200 100"]) { remote in
            remote.world.register((0..<120).map(remote.world.id))
            let answer = try await remote.list("limit=500")
            return "\(answer.status) \(answer.json?["data"]?.items?.count ?? 0)"
        },
        "cursors": Probe(expected: ["lasting": "200 1", "expired": "422 0", "by_id": "200 0"]) { remote in
            let ids = (0..<3).map(remote.world.id)
            remote.world.register(ids)
            let first = try await remote.list("limit=1&order_by=updated_at:asc").json
            let escaped = try #require(first?["next_cursor"]?.text)
                .replacing("+", with: "%2B").replacing("=", with: "%3D")
            // The one that the page ended with moves to the end.
            for id in ids {
                if id == first?["data"]?.items?.first?["id"]?.text { remote.world.setVersion(id, 500_000) }
            }
            let next = try await remote.list("limit=1&order_by=updated_at:asc&cursor=\(escaped)")
            return "\(next.status) \(next.json?["data"]?.items?.count ?? 0)"
        },
        "list_action_items": Probe(expected: ["delivered": "200", "refused": "422"]) { remote in
            #expect(try await remote.get(remote.world.id(1), "action_items").status == 200)
            return String(try await remote.list("expand=action_items").status)
        },
    ]
}
