/// Durations as people write them: a whole number and a unit, such as `250ms`, `30s`, `10m`, `1h`, `7d`.
enum DurationText {
    /// From the smallest; `ms` stands before `m` and `s` in a search by suffix.
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    static func parse(_ text: String) throws(BadValue) -> Duration {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text[digits.endIndex...]
        guard !digits.isEmpty else { throw BadValue("is not a duration; write a number and a unit, such as 30s") }
        guard !unit.isEmpty else {
            throw BadValue("has no unit; write \(digits)ms, \(digits)s, \(digits)m, \(digits)h or \(digits)d")
        }
        guard let factor = units.first(where: { $0.name == unit })?.milliseconds else {
            throw BadValue("has an unknown unit; the units are ms, s, m, h and d")
        }
        guard let number = Int64(digits), case (let product, false) = number.multipliedReportingOverflow(by: factor)
        else { throw BadValue("is too large") }
        return .milliseconds(product)
    }

    /// In the largest unit that has no remainder.
    static func print(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        let unit = units.last { milliseconds % $0.milliseconds == 0 && milliseconds != 0 } ?? units[1]
        return "\(milliseconds / unit.milliseconds)\(unit.name)"
    }
}
