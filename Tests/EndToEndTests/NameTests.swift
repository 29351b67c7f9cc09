import Foundation
import Simulator
import TestKit
import Testing

/// A host whose name leads nowhere for a while. In a mount namespace of its own, so only as root.
@Suite(.enabled(if: geteuid() == 0)) struct NameTests {
    @Test func aNameThatIsNotFoundIsWaitedFor() async throws {
        let (hosts, resolver) = (TestCluster.folder + "/hosts-\(getpid())", TestCluster.folder + "/resolv-\(getpid())")
        // Nobody serves names at this address.
        try "nameserver 127.0.0.1\n".write(toFile: resolver, atomically: false, encoding: .utf8)
        try "127.0.0.1 localhost\n".write(toFile: hosts, atomically: false, encoding: .utf8)
        defer { for file in [hosts, resolver] { try? FileManager.default.removeItem(atPath: file) } }
        let mounts = "mount --bind \(hosts) /etc/hosts && mount --bind \(resolver) /etc/resolv.conf && exec \"$@\""
        try await Stage.run { stage in
            let worker = try stage.start(
                ["run", "--allow-insecure-base-url", "--concurrency", "2"],
                ["ASKELEPHANT_BASE_URL": "http://askelephant.invalid:\(stage.simulator.port)/api"],
                through: ["unshare", "--mount", "sh", "-c", mounts, "sh"])
            try await worker.waitFor("worker.ready")
            let start = ContinuousClock.now
            try await stage.insert(stage.ids(0..<20))
            try await worker.waitFor("api.lost")
            #expect(worker.records(of: "api.lost").first?["error"] as? String == "dns")
            try await worker.waitFor("request", count: 5)
            let tries = worker.records(of: "request").count
            #expect(Double(tries) <= 4 + (ContinuousClock.now - start) / .seconds(1))
            #expect(try await stage.database.count("SELECT count(*) FROM enrichment_queue WHERE attempts > 0") == 0)
            #expect(stage.world.totalRequests == 0)

            try "127.0.0.1 localhost askelephant.invalid\n".write(toFile: hosts, atomically: false, encoding: .utf8)
            try await stage.drained()
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 20)
            #expect(worker.records(of: "api.lost").count == 1)
            #expect(worker.records(of: "api.restored").count == 1)
        }
    }
}
