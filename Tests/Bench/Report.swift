import Foundation

/// What was measured: for each figure the value of every round.
struct Report {
    private(set) var figures: [String: [Double]] = [:]
    private var order: [String] = []
    private var latest: [String: Double] = [:]
    private var ratios: [String: [Double]] = [:]

    mutating func add(_ name: String, _ value: Double) {
        if figures[name] == nil { order.append(name) }
        figures[name, default: []].append(value)
        latest[name] = value
    }

    /// Of this round; no number where it was not measured.
    subscript(_ name: String) -> Double { latest[name] ?? .nan }

    mutating func endRound() {
        for ratio in Ratio.all {
            let value = ratio.value(self)
            if !value.isNaN { ratios[ratio.name, default: []].append(value) }
        }
        latest = [:]
    }

    var table: String {
        var lines = ["| figure | median | lowest | highest |", "| --- | --- | --- | --- |"]
        for name in order { lines.append("| \(name) | \(spread(figures[name]!)) |") }
        lines += ["", "| ratio | median | lowest | highest | goal | |", "| --- | --- | --- | --- | --- | --- |"]
        for ratio in Ratio.all {
            guard let values = ratios[ratio.name] else { continue }
            let goal = (ratio.isUpper ? "at most " : "at least ") + text(ratio.goal)
            let verdict = ratio.isMet(values.median) ? "met" : "**not met**"
            lines.append("| \(ratio.name) | \(spread(values)) | \(goal) | \(verdict) |")
        }
        return lines.joined(separator: "\n")
    }

    func json() throws -> Data {
        try JSONSerialization.data(
            withJSONObject: ["figures": figures, "ratios": ratios], options: [.prettyPrinted, .sortedKeys])
    }

    private func spread(_ values: [Double]) -> String {
        [values.median, values.min()!, values.max()!].map(text).joined(separator: " | ")
    }

    private func text(_ value: Double) -> String {
        String(format: abs(value) >= 100 ? "%.0f" : abs(value) >= 10 ? "%.1f" : "%.2f", value)
    }
}

extension [Double] {
    var median: Double { quantile(0.5) }

    func quantile(_ share: Double) -> Double {
        let sorted = sorted()
        guard !sorted.isEmpty else { return .nan }
        let place = share * Double(sorted.count - 1)
        let (below, above) = (sorted[Int(place)], sorted[Int(place.rounded(.up))])
        return below + (place - place.rounded(.down)) * (above - below)
    }
}
