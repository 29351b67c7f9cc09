import Glibc
import Postgres
import TestKit
import Testing

/// A plain session on the cluster's own database; whatever it makes is temporary.
func open(_ conninfo: String = TestCluster.conninfo("postgres"), applicationName: String = "test") async throws
    -> Connection
{
    try await Connection.open(ConnectionConfiguration(conninfo: conninfo, applicationName: applicationName))
}

/// The cluster by TCP: the string's host is the folder of its Unix socket.
var overTCP: String { TestCluster.conninfo("postgres") + " host=127.0.0.1" }

/// The cluster's port.
var clusterPort: UInt16 {
    get throws {
        let words = TestCluster.conninfo("postgres").split(separator: " ")
        return try #require(words.compactMap { $0.hasPrefix("port=") ? UInt16($0.dropFirst(5)) : nil }.last)
    }
}

/// The cluster through a proxy.
func through(_ proxy: FaultProxy) -> String {
    TestCluster.conninfo("postgres") + " host=127.0.0.1 port=\(proxy.port)"
}

let one = Statement(name: "one", sql: "SELECT 1 AS n")
let backend = Statement(name: "backend", sql: "SELECT pg_backend_pid() AS pid")
let terminate = Statement(name: "terminate", sql: "SELECT pg_terminate_backend($1::bigint::integer, 5000) AS done")

/// Ends the backend of a connection from another session, and waits until it is gone.
func kill(_ pid: Int64) async throws {
    let killer = try await open()
    #expect(try await killer.query(terminate, [.bigint(pid)]).first?.boolean("done") == true)
    await killer.close()
}

/// Takes connections into its backlog and never says a word.
final class SilentServer: Sendable {
    let port: UInt16
    private let proxy: FaultProxy

    init() throws {
        proxy = try FaultProxy(to: try clusterPort)
        proxy.set(.blackhole)
        port = proxy.port
    }

    func stop() { proxy.stop() }
}
