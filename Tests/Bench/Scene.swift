import AskElephant
import Foundation
import Postgres
import TestKit

/// Documents of one size, where they are served, and the legs that need them.
final class Scene {
    let ground: Ground
    let documents: Documents
    /// Stored before each leg.
    let seeds: ArraySlice<Documents.One>
    /// What a worker has written before it is measured: its connections are open and its statements planned then.
    let first: ArraySlice<Documents.One>
    /// Written in each leg.
    let rest: ArraySlice<Documents.One>
    let site: Site
    /// Each answer takes 50 ms.
    let slowSite: Site
    let folder: String
    private var copying: Copying?

    init(_ ground: Ground, kilobytes: Int, count: Int, folder: String) async throws {
        self.ground = ground
        self.folder = "\(folder)/\(kilobytes)"
        documents = try await Documents.make(kilobytes: kilobytes, count: count + count / 4 + 800)
        seeds = documents.all[..<(count / 4)]
        first = documents.all[(count / 4)...].prefix(800)
        rest = documents.all[first.endIndex...]
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

    func measure(_ leg: Leg, _ report: inout Report) async throws {
        switch leg {
        case .api: try await measureAPI(&report)
        case .queue: try await measureQueue(&report)
        case .writing:
            try await ground.prepare(seeds)
            let writing = Writing(ground, connections: 2, batch: 100)
            let cpu = ground.cpu
            report.add("\(size) writing /s", Double(rest.count) / (try await writing.run(rest, after: first)))
            report.add(
                "\(size) writing Postgres CPU us", (ground.cpu - cpu) / Double(first.count + rest.count) * 1e6)
        case .copy: try await measureCopy(&report)
        case .single:
            try await ground.prepare(seeds)
            let few = rest.prefix(1_500)
            let single = Writing(ground, connections: 8, batch: 1)
            report.add("\(size) single /s", Double(few.count) / (try await single.run(few, after: first)))
        case .endToEnd: try await measureEndToEnd(&report)
        case .unchanged: try await measureUnchanged(&report)
        case .slow: try await measureSlow(&report)
        case .held: try await measureHeld(&report)
        case .idle: try await measureIdle(&report)
        case .pair: try await measurePair(&report)
        case .latency: try await Latency(self).measure(&report)
        case .deep: try await measureDeep(&report)
        case .grown: try await measureGrown(&report)
        case .inserting: try readInserting(&report)
        }
    }

    private var size: String { "\(documents.kilobytes) KB" }

    // MARK: The parts

    private func measureAPI(_ report: inout Report) async throws {
        let load = try await Load.run(site, ids: folder + "/ids", connections: 64, seconds: 3, folder: folder)
        report.add("\(size) API /s", load.perSecond)
        report.add("\(size) wrk CPU us", load.cpuMicroseconds)
    }

    private func measureQueue(_ report: inout Report) async throws {
        try await ground.clear()
        let jobs = 20_000
        try await ground.enqueue(jobs)
        try await ground.settle()
        report.add("\(size) queue /s", try await Queueing.rate(ground, jobs: jobs))
    }

    private func measureCopy(_ report: inout Report) async throws {
        // What the leg before wrote, or what is written for it.
        if copying == nil {
            if try await ground.cluster.count("SELECT count(*) FROM engagements") < rest.count {
                try await ground.prepare(seeds)
                _ = try await Writing(ground, connections: 2, batch: 100).run(rest)
            }
            copying = try await Copying(ground, rest, folder: folder + "/copy")
        }
        try await ground.prepare(seeds)
        report.add("\(size) copy /s", Double(rest.count) / (try await copying!.run()))
    }

    // MARK: The whole

    /// Workers that have worked already: at first few requests are out at a time, whatever the concurrency.
    private func warm(
        _ sites: [Site], concurrency: Int = 64, flags: [String] = [], _ body: (Running) async throws -> Void
    ) async throws {
        try await Running.with(ground, sites, concurrency: concurrency, flags: flags) { running in
            _ = try await running.drain(first.map(\.id))
            try await body(running)
        }
    }

    private func measureEndToEnd(_ report: inout Report) async throws {
        try await ground.prepare(seeds)
        try await warm([site]) { running in
            let run = try await running.drain(rest.map(\.id))
            report.add("\(size) end-to-end /s", run.rate)
            report.add("\(size) end-to-end worker CPU us", run.workerMicroseconds)
            report.add("\(size) end-to-end Postgres CPU us", run.serverMicroseconds)
            report.add("\(size) peak MB", run.peakMegabytes)
        }
        let perJob = ["API /s", "queue /s", "writing /s"].map { 1 / report["\(size) \($0)"] }.reduce(0, +)
        if !perJob.isNaN { report.add("\(size) L /s", 1 / perJob) }
    }

    /// Twice the same, by the same worker.
    private func measureUnchanged(_ report: inout Report) async throws {
        try await ground.prepare(seeds)
        try await warm([site]) { running in
            report.add("\(size) first /s", try await running.drain(rest.map(\.id)).rate)
            try await ground.settle()
            let again = try await running.drain(rest.map(\.id))
            report.add("\(size) unchanged /s", again.rate)
            report.add("\(size) unchanged worker CPU us", again.workerMicroseconds)
            report.add("\(size) unchanged Postgres CPU us", again.serverMicroseconds)
        }
        // By ETag, as an hour later.
        let parts = Expand.allCases.filter { $0 != .mediaURL }.map(\.rawValue).joined(separator: ",")
        try await warm([site], flags: ["--conditional", "--expand", parts]) { running in
            _ = try await running.drain(rest.map(\.id))
            for table in Ground.shared {
                try await ground.cluster.run("UPDATE \(table) SET _observed_at = _observed_at - interval '1 hour'")
            }
            try await ground.settle()
            let confirmed = try await running.drain(rest.map(\.id))
            report.add("\(size) conditional /s", confirmed.rate)
            report.add("\(size) conditional worker CPU us", confirmed.workerMicroseconds)
            report.add("\(size) conditional Postgres CPU us", confirmed.serverMicroseconds)
        }
    }

    private func measureSlow(_ report: inout Report) async throws {
        let load = try await Load.run(slowSite, ids: folder + "/ids", connections: 1, seconds: 2, folder: folder)
        report.add("slow latency s", load.meanLatency)
        for concurrency in [64, 256] {
            try await ground.prepare(seeds)
            try await warm([slowSite], concurrency: concurrency) { running in
                let run = try await running.drain(rest.map(\.id))
                report.add("\(size) slow \(concurrency) /s", run.rate)
            }
        }
    }

    /// While another session keeps a snapshot, so that nothing that is finished can be cleared away.
    private func measureHeld(_ report: inout Report) async throws {
        try await ground.prepare(seeds)
        let reader = try await ground.connect()
        _ = try await reader.run(
            script: "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM engagements", name: "hold")
        try await warm([site]) { running in
            report.add("\(size) held /s", try await running.drain(rest.map(\.id)).rate)
        }
        _ = try await reader.run(script: "ROLLBACK", name: "release")
        await reader.close()
    }

    private func measureIdle(_ report: inout Report) async throws {
        try await ground.prepare(seeds)
        try await Running.with(ground, [site]) { running in
            let idle = try await running.idle(for: .seconds(10))
            report.add("idle CPU %", idle.share * 100)
            report.add("idle MB", idle.megabytes)
        }
    }

    /// The API's latency is the limit: few requests at a time.
    private func measurePair(_ report: inout Report) async throws {
        let few = rest.prefix(2_500).map(\.id)
        for (sites, name) in [([slowSite], "alone"), ([slowSite, slowSite], "pair")] {
            try await ground.prepare(seeds)
            try await warm(sites, concurrency: 16) { running in
                report.add("\(size) \(name) /s", try await running.drain(few).rate)
            }
        }
    }

    // MARK: Size

    /// The queue's own statements, where much waits behind what they take.
    private func measureDeep(_ report: inout Report) async throws {
        let jobs = 20_000
        var shallow: [Double] = []
        try await ground.clear()
        for _ in 0..<(jobs / 1_000) {
            try await ground.enqueue(1_000)
            try await ground.settle()
            shallow.append(try await Queueing.rate(ground, jobs: 1_000))
        }
        report.add("queue of 1000 /s", shallow.median)
        try await ground.clear()
        try await ground.enqueue(1_000_000)
        try await ground.settle()
        var deep: [Double] = []
        for _ in 0..<(jobs / 1_000) { deep.append(try await Queueing.rate(ground, jobs: 1_000)) }
        report.add("queue of 1000000 /s", deep.median)
    }

    /// The last number of each line that begins with a case is its ratio.
    private func readInserting(_ report: inout Report) throws {
        let lines = try String(contentsOfFile: folder + "/../insert-cost", encoding: .utf8).split(separator: "\n")
        for name in Ratio.insertingCases {
            let words = lines.first { $0.hasPrefix(name + " ") }?.split(separator: " ")
            guard let value = words?.last.flatMap({ Double($0) }) else { throw BenchError("no \(name) in insert-cost") }
            report.add("inserting \(name), with / without", value)
        }
    }

    private func measureGrown(_ report: inout Report) async throws {
        let some = seeds.prefix(1_000)
        for times in [5, 200] {
            try await ground.prepare(some)
            try await ground.multiply(by: times)
            try await ground.settle()
            try await warm([site]) { running in
                report.add("\(some.count * times) stored /s", try await running.drain(rest.map(\.id)).rate)
            }
        }
    }
}
