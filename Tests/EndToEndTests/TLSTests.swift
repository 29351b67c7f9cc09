import Foundation
import Simulator
import TestKit
import Testing

/// Servers that do not prove to be the API: they get no byte of a request, and are waited for.
@Suite(.serialized) struct TLSTests {
    enum Trouble: CaseIterable {
        case expired, unknownAuthority, wrongName, oldVersion, noTLS
    }

    @Test(arguments: Trouble.allCases) func aServerThatProvesNothingIsToldNothing(_ trouble: Trouble) async throws {
        let authority = try await TestCertificate.selfSigned(name: "authority")
        let good = try await authority.sign()
        try await Self.run { stage, nginx in
            switch trouble {
            case .expired:
                let past = try await MovedClock()
                try past.move(by: -10 * 86_400)
                try await nginx.start(try await authority.sign(by: past))
            case .unknownAuthority: try await nginx.start(try await TestCertificate.selfSigned())
            case .wrongName: try await nginx.start(try await authority.sign(name: "elsewhere.example"))
            case .oldVersion: try await nginx.start(good, protocols: "TLSv1 TLSv1.1")
            case .noTLS: try await nginx.start(nil)
            }
            let worker = try await stage.worker(
                ["--concurrency", "2"],
                [
                    "ASKELEPHANT_BASE_URL": "https://localhost:\(nginx.port)/api",
                    "SSL_CERT_FILE": authority.certificateFile,
                ])
            let start = ContinuousClock.now
            try await stage.insert(stage.ids(0..<20))
            try await worker.waitFor("api.lost")
            let lost = try #require(worker.records(of: "api.lost").first)
            #expect(lost["error"] as? String == "tls")
            #expect((lost["hint"] as? String)?.contains("certificate") == true)
            // It is tried again, not more often than once a second.
            try await worker.waitFor("request", count: 5)
            let tries = worker.records(of: "request").count
            #expect(Double(tries) <= 4 + (ContinuousClock.now - start) / .seconds(1))
            #expect(worker.records(of: "request").allSatisfy { $0["http_status"] is NSNull })
            try await eventually("nginx saw it") { trouble == .noTLS ? !nginx.requests.isEmpty : !nginx.errors.isEmpty }
            #expect(!nginx.requests.contains("sk-apik"), "the credential was sent")
            #expect(!nginx.requests.contains("GET"))
            #expect(stage.world.totalRequests == 0)
            #expect(try await stage.database.count("SELECT count(*) FROM enrichment_queue WHERE attempts > 0") == 0)

            try await nginx.start(good)
            try await stage.drained()
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 20)
            #expect(nginx.requests.contains("sk-apik"))
            #expect(worker.records(of: "api.lost").count == 1)
            #expect(worker.records(of: "api.restored").count == 1)
            #expect(worker.records(of: "job.done").allSatisfy { $0["outcome"] as? String != "retry" })
        }
    }

    private static func run(_ test: (Stage, Nginx) async throws -> Void) async throws {
        try await Stage.run { stage in
            try await Nginx.run(to: stage.simulator.port) { nginx in try await test(stage, nginx) }
        }
    }

    /// The system's authorities alone do not know ours.
    @Test func withoutTheFileTheSystemsAuthoritiesHold() async throws {
        let authority = try await TestCertificate.selfSigned(name: "authority")
        let good = try await authority.sign()
        try await Self.run { stage, nginx in
            try await nginx.start(good)
            let url = ["ASKELEPHANT_BASE_URL": "https://localhost:\(nginx.port)/api"]
            let worker = try await stage.worker([], url)
            try await stage.insert([stage.world.id(0)])
            try await worker.waitFor("api.lost")
            #expect(worker.records(of: "api.lost").first?["error"] as? String == "tls")
            #expect(nginx.requests.isEmpty)
            let refused = try await stage.command(["run"], ["SSL_CERT_FILE": "/nowhere.pem"])
            #expect(refused.status == 78)
        }
    }
}
