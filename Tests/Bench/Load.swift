import Foundation
import Glibc
import TestKit

/// wrk against a site: what the API can do when nobody writes.
struct Load {
    let perSecond: Double
    /// Of wrk alone, for one request.
    let cpuMicroseconds: Double
    let meanLatency: Double

    /// - Parameter connections: kept open all along.
    static func run(_ site: Site, ids: String, connections: Int, seconds: Int, folder: String) async throws -> Load {
        let script = folder + "/wrk.lua"
        try """
        local requests = {}
        local n = 0
        init = function()
            for id in io.lines("\(ids)") do
                requests[#requests + 1] = wrk.format("GET", "/v2/engagements/" .. id .. "?expand=owner,contacts,companies")
            end
        end
        request = function()
            n = n % #requests + 1
            return requests[n]
        end
        """.write(toFile: script, atomically: true, encoding: .utf8)
        let before = ProcessTimes.ofEndedChildren
        let ran = try await Program.run(
            "wrk", ["-t1", "-c\(connections)", "-d\(seconds)s", "-s", script, site.url])
        let cpu = ProcessTimes.ofEndedChildren - before
        let lines = ran.output.split(separator: "\n").map { $0.split(separator: " ") }
        guard ran.status == 0,
            let rate = lines.first(where: { $0.first == "Requests/sec:" })?.last.flatMap({ Double($0) }),
            let latency = lines.first(where: { $0.first == "Latency" })?.dropFirst().first.flatMap(seconds(of:))
        else { throw BenchError("wrk: \(ran.output) \(ran.errors)") }
        if let bad = lines.first(where: { $0.first == "Non-2xx" }) { throw BenchError("wrk: \(bad)") }
        return Load(
            perSecond: rate, cpuMicroseconds: cpu / (rate * Double(seconds)) * 1e6, meanLatency: latency)
    }

    private static func seconds(of text: Substring) -> Double? {
        for (unit, factor) in [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)] where text.hasSuffix(unit) {
            return Double(text.dropLast(unit.count)).map { $0 * factor }
        }
        return nil
    }
}
