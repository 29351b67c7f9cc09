/// A time of the simulated world. Nothing here depends on the wall clock.
package struct SimTime: Sendable, Hashable, Comparable {
    /// Since 1970-01-01T00:00:00Z.
    package let milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    package static func < (left: SimTime, right: SimTime) -> Bool {
        left.milliseconds < right.milliseconds
    }

    func adding(seconds: Int) -> SimTime {
        SimTime(milliseconds: milliseconds + Int64(seconds) * 1_000)
    }

    var isWholeSecond: Bool { milliseconds % 1_000 == 0 }

    /// ISO 8601 in UTC with `Z`; three digits of a second only where the time has a fraction, or on request.
    package func text(withMilliseconds: Bool = false) -> String {
        let second = Int(milliseconds / 1_000)
        let date = Self.civil(day: second / 86_400)
        let inDay = second % 86_400
        var text = "\(date.year)-\(Self.two(date.month))-\(Self.two(date.day))T"
        text += "\(Self.two(inDay / 3_600)):\(Self.two(inDay / 60 % 60)):\(Self.two(inDay % 60))"
        if withMilliseconds || !isWholeSecond {
            let fraction = String(milliseconds % 1_000)
            text += "." + String(repeating: "0", count: 3 - fraction.utf8.count) + fraction
        }
        return text + "Z"
    }

    /// Reads `yyyy-mm-ddThh:mm:ss[.fff…]Z`, the only form that the list filters take.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.last == UInt8(ascii: "Z"), Self.hasSeparators(bytes) else {
            return nil
        }
        let starts = [(0, 4), (5, 2), (8, 2), (11, 2), (14, 2), (17, 2)]
        let numbers = starts.compactMap { Self.number(bytes[$0.0..<$0.0 + $0.1]) }
        guard numbers.count == 6, let fraction = Self.fraction(bytes[19..<bytes.count - 1]) else {
            return nil
        }
        let (month, day) = (numbers[1], numbers[2])
        guard (1...12).contains(month), (1...31).contains(day) else { return nil }
        guard numbers[3] < 24, numbers[4] < 60, numbers[5] < 61 else { return nil }
        let days = Self.days(year: numbers[0], month: month, day: day)
        let seconds = days * 86_400 + numbers[3] * 3_600 + numbers[4] * 60 + numbers[5]
        milliseconds = Int64(seconds * 1_000 + fraction)
    }

    private static func hasSeparators(_ bytes: [UInt8]) -> Bool {
        [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")].allSatisfy {
            bytes[$0.0] == Array($0.1.utf8)[0]
        }
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    /// The milliseconds of `.f…`; finer digits are cut off, nothing at all is zero.
    private static func fraction(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard let dot = bytes.first else { return 0 }
        let digits = bytes.dropFirst()
        guard dot == UInt8(ascii: "."), !digits.isEmpty, number(digits.prefix(9)) != nil else {
            return nil
        }
        return number(
            ArraySlice(Array(digits.prefix(3)) + Array(repeating: 0x30, count: max(0, 3 - digits.count))))
    }

    private static func two(_ number: Int) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }

    /// Days since 1970 to a date and back, after Hinnant's "chrono-Compatible Low-Level Date Algorithms".
    static func civil(day: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = day + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private static func days(year: Int, month: Int, day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let yearOfEra = shifted % 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return shifted / 400 * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
            - 719_468
    }
}
