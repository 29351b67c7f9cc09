import Glibc
import Simulator
import Testing

struct SimulatorStopTests {
    /// A connection that was accepted a moment before the stop would end the process.
    @Test func itStopsWhileConnectionsArrive() async throws {
        for _ in 0..<60 {
            let simulator = Simulator(seed: 1)
            try await simulator.start()
            let port = try #require(UInt16(simulator.baseURL.split(separator: ":")[2].prefix { $0 != "/" }))
            let sockets = (0..<40).map { _ in Self.connect(to: port) }
            #expect(sockets.contains { $0.isConnected }, "nothing was injected")
            await simulator.stop()
            for socket in sockets { close(socket.descriptor) }
        }
    }

    private static func connect(to port: UInt16) -> (descriptor: Int32, isConnected: Bool) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return (descriptor, result == 0)
    }
}
