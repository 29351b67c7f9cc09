import Foundation

/// How large a test is, from the environment; `Tests/endurance` asks for more than the tests of every day.
package func size(_ variable: String, or usual: Int) -> Int {
    ProcessInfo.processInfo.environment[variable].flatMap { Int($0) } ?? usual
}

/// Prints a measured figure, as `Tests/endurance` looks for it.
package func printFigure(_ text: String) { print("figure: " + text) }

/// Durations that were measured, and what they say together.
package struct Durations: CustomStringConvertible {
    private var values: [Duration] = []

    package init() {}

    package mutating func add(_ value: Duration) { values.append(value) }

    package var count: Int { values.count }
    package var median: Duration { values.sorted()[values.count / 2] }
    package var description: String {
        "\(values.count) times, median \(Self.seconds(median)), at most \(Self.seconds(values.max() ?? .zero))"
    }

    package static func seconds(_ duration: Duration) -> String {
        (duration / .seconds(1)).formatted(.number.precision(.fractionLength(2)).grouping(.never)) + " s"
    }
}
