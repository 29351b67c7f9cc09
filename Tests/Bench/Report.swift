import Foundation

/// What was measured: for each figure the value of every round.
struct Report {
    struct Goal {
        let name: String
        /// The figure that is compared.
        let figure: String
        let bound: Double
        var isUpper = false
    }

    private(set) var figures: [String: [Double]] = [:]
    private var order: [String] = []

    mutating func add(_ name: String, _ value: Double) {
        if figures[name] == nil { order.append(name) }
        figures[name, default: []].append(value)
    }

    /// Of the latest round.
    subscript(_ name: String) -> Double { figures[name]?.last ?? .nan }

    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return .nan }
        return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }

    func table(_ goals: [Goal]) -> String {
        var lines = ["| figure | median | lowest | highest |", "| --- | --- | --- | --- |"]
        for name in order {
            let values = figures[name]!
            lines.append(
                "| \(name) | \(text(Self.median(values))) | \(text(values.min()!)) | \(text(values.max()!)) |")
        }
        lines += ["", "| ratio | median | goal | |", "| --- | --- | --- | --- |"]
        for goal in goals {
            guard let values = figures[goal.figure] else { continue }
            let median = Self.median(values)
            let isMet = goal.isUpper ? median <= goal.bound : median >= goal.bound
            let bound = (goal.isUpper ? "at most " : "at least ") + text(goal.bound)
            lines.append("| \(goal.name) | \(text(median)) | \(bound) | \(isMet ? "met" : "**not met**") |")
        }
        return lines.joined(separator: "\n")
    }

    func json() throws -> Data {
        try JSONSerialization.data(withJSONObject: figures, options: [.prettyPrinted, .sortedKeys])
    }

    private func text(_ value: Double) -> String {
        String(format: abs(value) >= 100 ? "%.0f" : abs(value) >= 10 ? "%.1f" : "%.2f", value)
    }
}
