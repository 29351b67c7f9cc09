import ArgumentParser
import Simulator
import UnixSignals

struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve a local AskElephant API with made-up engagements, until stopped.",
        discussion: """
            Every well-formed id exists; what it holds follows from the seed and the id. The list shows a hundred of them.

            What no page states of the API is a --switch: \(habits), and gate.PART, a scope that a part needs besides the \
            documented ones, as in gate.signals=signals:read. A wrong value lists the right ones.

            While it runs it is changed by JSON objects. What has a question mark may be left out: a token or id then is \
            every one, a scope list stays, on is true, times is until the fault none, and a rate has no limit.
            \(Simulator.controlText)
            GET /_simulator shows its state and all switches, and
            GET /_simulator/journal counts requests by status and by path.
            """
    )

    /// The gates are named by their pattern instead.
    private static let habits = NamedSwitch.all.filter { $0.allowed != .scope }.map(\.name).joined(separator: ", ")

    @Option(help: "Port on loopback; 0 takes a free one.") var port = 8080
    @Option(help: "What the engagements are made from.") var seed: UInt64 = 1
    @Option(help: "The credential that is accepted.") var credential = Simulator.demoToken
    @Option(help: "A scope that it has; repeat it. Without any it may read everything.") var scope: [String] = []
    @Option(help: "A scope that it has not; repeat it.") var without: [String] = []
    @Option(name: .customLong("switch"), help: "NAME=VALUE; repeat it.") var switches: [String] = []
    @Option(help: "Milliseconds before each answer.") var latency = 0
    @Option(help: "Requests a second; what exceeds them is answered 429.") var rateLimit: Int?
    @Option(help: "Bytes of each transcript.") var transcriptBytes: Int?
    @Option(help: "How many engagements the list shows.") var listed = 100
    @Flag(inversion: .prefixedNo, help: "Whether /_simulator changes it while it runs.") var control = true

    func validate() throws {
        _ = try parsedSwitches()
        for scope in scope + without where !SimScope.isWellFormed(scope) {
            throw ValidationError("'\(scope)' is no scope, such as contacts:read.")
        }
        if credential.isEmpty { throw ValidationError("--credential must not be empty.") }
        for (name, number) in [
            ("latency", latency), ("listed", listed), ("rate-limit", rateLimit), ("transcript-bytes", transcriptBytes),
        ] {
            guard let number, !(0...1_000_000).contains(number) else { continue }
            throw ValidationError("--\(name) must be from 0 to 1000000.")
        }
    }

    func run() async throws {
        let simulator = Simulator(seed: seed, switches: try parsedSwitches(), hasControl: control)
        prepare(simulator.world)
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        try await simulator.start(port: port)
        let address = control ? "ASKELEPHANT_SIMULATOR=\(simulator.controlURL)\n" : ""
        writeOutput("ASKELEPHANT_BASE_URL=\(simulator.baseURL)\nASKELEPHANT_TOKEN=\(credential)\n\(address)")
        for await _ in signals { break }
        await simulator.stop()
    }

    private func prepare(_ world: World) {
        world.removeToken(Simulator.demoToken)
        world.setToken(credential, scopes: (scope.isEmpty ? SimScope.all : Set(scope)).subtracting(without))
        world.register((0..<listed).map { world.id($0) })
        world.setLatency(.milliseconds(latency))
        world.setRateLimit(perSecond: rateLimit)
        if let transcriptBytes { world.setTranscriptBytes(transcriptBytes...transcriptBytes) }
    }

    private func parsedSwitches() throws -> Switches {
        var result = Switches()
        for text in switches {
            let sides = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard sides.count == 2 else { throw ValidationError("'\(text)' is not NAME=VALUE.") }
            do throws(SwitchError) {
                try result.set(sides[0], to: sides[1])
            } catch {
                throw ValidationError(error.description)
            }
        }
        return result
    }
}
