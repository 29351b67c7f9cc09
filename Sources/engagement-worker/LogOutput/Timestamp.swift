/// A moment as text: UTC, ISO 8601, milliseconds, ending in Z.
///
/// By hand, because a formatter costs more than the rest of the line.
struct Timestamp {
    private let year: Int64
    private let month: Int64
    private let day: Int64
    private let millisecondOfDay: Int64

    /// - Parameter milliseconds: Unix time.
    init(milliseconds: Int64) {
        let perDay: Int64 = 86_400_000
        let remainder = milliseconds % perDay
        millisecondOfDay = remainder < 0 ? remainder + perDay : remainder
        (year, month, day) = Self.civil(days: (milliseconds - millisecondOfDay) / perDay)
    }

    /// `2026-03-01T09:05:07.042Z`
    func appendFull(to output: inout [UInt8]) {
        appendDigits(year, 4, to: &output)
        output.append(UInt8(ascii: "-"))
        appendDigits(month, 2, to: &output)
        output.append(UInt8(ascii: "-"))
        appendDigits(day, 2, to: &output)
        output.append(UInt8(ascii: "T"))
        appendTime(to: &output)
    }

    /// `09:05:07.042Z`
    func appendTime(to output: inout [UInt8]) {
        appendDigits(millisecondOfDay / 3_600_000, 2, to: &output)
        output.append(UInt8(ascii: ":"))
        appendDigits(millisecondOfDay / 60_000 % 60, 2, to: &output)
        output.append(UInt8(ascii: ":"))
        appendDigits(millisecondOfDay / 1000 % 60, 2, to: &output)
        output.append(UInt8(ascii: "."))
        appendDigits(millisecondOfDay % 1000, 3, to: &output)
        output.append(UInt8(ascii: "Z"))
    }

    private func appendDigits(_ value: Int64, _ count: Int, to output: inout [UInt8]) {
        var divisor: Int64 = 1
        for _ in 1..<count { divisor *= 10 }
        while divisor > 0 {
            output.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }

    /// Days since 1970-01-01 as a date of the Gregorian calendar: Howard Hinnant's `civil_from_days`. The year begins
    /// in March, so that the leap day is its last.
    private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
