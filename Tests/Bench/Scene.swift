import Foundation
import Postgres
import TestKit

/// All legs with documents of one size.
final class Scene {
    private let ground: Ground
    private let documents: Documents
    /// Stored before each leg.
    private let seeds: ArraySlice<Documents.One>
    /// Written in each leg.
    private let rest: ArraySlice<Documents.One>
    private let site: Site
    private let slowSite: Site
    private let folder: String
    private var copying: Copying?
    private var name: String { "\(documents.kilobytes) KB" }

    init(_ ground: Ground, kilobytes: Int, count: Int, folder: String) async throws {
        self.ground = ground
        self.folder = "\(folder)/\(kilobytes)"
        documents = try await Documents.make(kilobytes: kilobytes, count: count + count / 4)
        seeds = documents.all[..<(count / 4)]
        rest = documents.all[(count / 4)...]
        try documents.write(to: self.folder + "/files")
        try documents.all.map(\.id).joined(separator: "\n").write(
            toFile: self.folder + "/ids", atomically: true, encoding: .utf8)
        site = try await Site(documents: self.folder + "/files", folder: self.folder + "/site")
        slowSite = try await Site(
            documents: self.folder + "/files", folder: self.folder + "/slow", latency: .milliseconds(50))
        Bench.log("\(kilobytes) KB: \(documents.all.count) documents of \(documents.meanBytes) bytes")
    }

    func stop() {
        site.stop()
        slowSite.stop()
    }

    func measure(_ report: inout Report) async throws {
        let count = Double(rest.count)
        let load = try await Load.run(site, ids: folder + "/ids", connections: 64, seconds: 3, folder: folder)
        report.add("\(name) API /s", load.perSecond)
        report.add("\(name) wrk CPU us", load.cpuMicroseconds)

        try await ground.clear()
        let jobs = 20_000
        try await ground.enqueue((0..<jobs).map { "ngmt_\($0)" })
        try await ground.settle()
        report.add("\(name) queue /s", Double(jobs) / (try await Queueing.drain(ground, connections: 4)))

        try await ground.prepare(seeds)
        let writing = try await Writing(ground, connections: 2, batch: 100).run(rest)
        report.add("\(name) writing /s", count / writing)
        if copying == nil { copying = try await Copying(ground, rest, folder: folder + "/copy") }

        try await ground.prepare(seeds)
        report.add("\(name) COPY /s", count / (try await copying!.run()))
        report.add("\(name) writing / COPY", report["\(name) writing /s"] / report["\(name) COPY /s"])

        try await ground.prepare(seeds)
        let few = rest.prefix(1_500)
        let single = try await Writing(ground, connections: 8, batch: 1).run(few)
        report.add("\(name) single /s", Double(few.count) / single)

        let first = try await drain(site, rest, "end to end", &report)
        let limit = 1 / (1 / load.perSecond + 1 / report["\(name) queue /s"] + 1 / report["\(name) writing /s"])
        report.add("\(name) L /s", limit)
        report.add("\(name) end to end / L", first / limit)
        report.add("\(name) end to end / single", first / report["\(name) single /s"])
        report.add("\(name) worker / wrk", report["\(name) end to end worker CPU us"] / load.cpuMicroseconds)
        if documents.kilobytes == 8 { try await measureOthers(first, &report) }
    }

    /// What is measured with one size alone.
    private func measureOthers(_ rate: Double, _ report: inout Report) async throws {
        let latency = try await Load.run(slowSite, ids: folder + "/ids", connections: 1, seconds: 2, folder: folder)
        let few = try await drain(slowSite, rest.prefix(6_000), "50 ms 64", flags: ["--concurrency", "64"], &report)
        report.add("\(name) 50 ms 64 / possible", few / (64 / latency.meanLatency))
        let many = try await drain(slowSite, rest, "50 ms 256", flags: ["--concurrency", "256"], &report)
        report.add("\(name) 50 ms 256 / none", many / rate)

        let reader = try await ground.connect()
        let held = try await drain(site, rest, "held", &report) {
            _ = try await reader.run(
                script: "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM engagements", name: "hold")
        }
        _ = try await reader.run(script: "ROLLBACK", name: "release")
        await reader.close()
        report.add("\(name) held / free", held / rate)
    }

    /// From a full queue to an empty one; the rate. Once more with the same documents where that is the first leg.
    @discardableResult
    private func drain(
        _ site: Site, _ some: ArraySlice<Documents.One>, _ leg: String, flags: [String] = [], _ report: inout Report,
        before: () async throws -> Void = {}
    ) async throws -> Double {
        try await ground.prepare(seeds)
        try await before()
        let running = try await Running(ground, site, flags)
        do {
            if leg == "end to end" {
                let idle = try await running.idle(for: .seconds(5))
                report.add("idle CPU %", idle.share * 100)
                report.add("idle MB", idle.megabytes)
            }
            let run = try await running.drain(some.map(\.id))
            let rate = Double(some.count) / run.seconds
            report.add("\(name) \(leg) /s", rate)
            report.add("\(name) \(leg) worker CPU us", run.workerCPU / Double(some.count) * 1e6)
            report.add("\(name) \(leg) Postgres CPU us", run.serverCPU / Double(some.count) * 1e6)
            if leg == "end to end" {
                report.add("\(name) peak MB", run.peakMegabytes)
                try await ground.settle()
                let again = try await running.drain(some.map(\.id))
                report.add("\(name) unchanged /s", Double(some.count) / again.seconds)
                report.add("\(name) unchanged / first", report["\(name) unchanged /s"] / rate)
            }
            try await running.stop()
            return rate
        } catch {
            try? await running.stop()
            throw error
        }
    }
}
