/// A time as HTTP headers write it, RFC 9110 section 5.6.7.
///
///     Sun, 06 Nov 1994 08:49:37 GMT    IMF-fixdate
///     Sunday, 06-Nov-94 08:49:37 GMT   RFC 850, obsolete
///     Sun Nov  6 08:49:37 1994         asctime, obsolete
package enum HTTPDate {
    /// Unix seconds, or nil for anything else than the three forms. `now`, in Unix seconds, settles the century of the
    /// form with two digits: a year more than 50 years ahead lies in the past.
    package static func parse(_ text: String, now: Int64) -> Int64? {
        var input = Input(rest: text.utf8[...])
        guard let dayName = input.word() else { return nil }
        if dayNames.contains(dayName), input.skip(", ") { return fixdate(&input) }
        if longDayNames.contains(dayName), input.skip(", ") { return rfc850(&input, now: now) }
        if dayNames.contains(dayName), input.skip(" ") { return asctime(&input) }
        return nil
    }

    private static func fixdate(_ input: inout Input) -> Int64? {
        guard let day = input.number(2), input.skip(" "), let month = input.month(), input.skip(" "),
            let year = input.number(4), input.skip(" "), let time = input.timeOfDay(), input.skip(" GMT"), input.isAtEnd
        else { return nil }
        return unixSeconds(year, month, day, time)
    }

    private static func rfc850(_ input: inout Input, now: Int64) -> Int64? {
        guard let day = input.number(2), input.skip("-"), let month = input.month(), input.skip("-"),
            let short = input.number(2), input.skip(" "), let time = input.timeOfDay(), input.skip(" GMT"),
            input.isAtEnd
        else { return nil }
        let thisYear = 1970 + Int(now / 31_556_952)
        var year = thisYear - thisYear % 100 + short
        if year > thisYear + 50 { year -= 100 }
        if year <= thisYear - 50 { year += 100 }
        return unixSeconds(year, month, day, time)
    }

    private static func asctime(_ input: inout Input) -> Int64? {
        guard let month = input.month(), input.skip(" "), let day = input.skip(" ") ? input.number(1) : input.number(2),
            input.skip(" "), let time = input.timeOfDay(), input.skip(" "), let year = input.number(4), input.isAtEnd
        else { return nil }
        return unixSeconds(year, month, day, time)
    }

    private static func unixSeconds(_ year: Int, _ month: Int, _ day: Int, _ time: Int) -> Int64? {
        guard (1...daysInMonth(year, month)).contains(day) else { return nil }
        return Int64(daysSince1970(year, month, day) * 86_400 + time)
    }

    private static func daysInMonth(_ year: Int, _ month: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return switch month {
        case 2: isLeap ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Counts years from March, so that the leap day is the last of its year, in eras of 400 years (146,097 days).
    private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let y = month <= 2 ? year - 1 : year
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return y * 365 + y / 4 - y / 100 + y / 400 + dayOfYear - 719_468
    }

    private static let dayNames: Set<String> = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    private static let longDayNames: Set<String> = [
        "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
    ]
    fileprivate static let monthNames = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
}

/// The text that is still to be read. Each function takes what it names from the front or returns nil.
private struct Input {
    var rest: Substring.UTF8View

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skip(_ literal: String) -> Bool {
        guard rest.starts(with: literal.utf8) else { return false }
        rest = rest.dropFirst(literal.utf8.count)
        return true
    }

    mutating func word() -> String? {
        let letters = rest.prefix(while: \.isASCIILetter)
        rest = rest.dropFirst(letters.count)
        return letters.isEmpty ? nil : String(Substring(letters))
    }

    mutating func number(_ digits: Int) -> Int? {
        let text = rest.prefix(digits)
        guard text.count == digits, text.allSatisfy(\.isASCIIDigit) else { return nil }
        rest = rest.dropFirst(digits)
        return text.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    mutating func month() -> Int? {
        guard let name = word(), let index = HTTPDate.monthNames.firstIndex(of: name) else { return nil }
        return index + 1
    }

    /// Seconds since midnight; second 60 is a leap second.
    mutating func timeOfDay() -> Int? {
        guard let hour = number(2), skip(":"), let minute = number(2), skip(":"), let second = number(2),
            hour < 24, minute < 60, second <= 60
        else { return nil }
        return hour * 3600 + minute * 60 + second
    }
}
