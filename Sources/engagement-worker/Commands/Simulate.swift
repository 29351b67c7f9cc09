import ArgumentParser
import Simulator
import UnixSignals

struct Simulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve a local AskElephant API with made-up engagements, until stopped.",
        discussion: "Every well-formed id exists; what it holds follows from the seed and the id."
    )

    @Option(help: "Port on loopback; 0 takes a free one.") var port = 8080
    @Option(help: "What the engagements are made from.") var seed: UInt64 = 1
    @Option(help: "Milliseconds before each answer.") var latency = 0

    func run() async throws {
        let simulator = Simulator(seed: seed)
        simulator.world.setLatency(.milliseconds(latency))
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        try await simulator.start(port: port)
        writeOutput("ASKELEPHANT_BASE_URL=\(simulator.baseURL)\nASKELEPHANT_TOKEN=\(Simulator.demoToken)\n")
        for await _ in signals { break }
        await simulator.stop()
    }
}
