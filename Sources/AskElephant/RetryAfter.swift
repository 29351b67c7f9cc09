/// How long a server asks to be left alone. Nothing documents the form of the header (contract U-8), so each is read.
package enum RetryAfter {
    /// What is waited at least: for a header that is missing, unreadable, zero or past (design section 11).
    package static let shortest = Duration.seconds(1)
    /// What is waited at most, so that no server can stop a worker for good.
    package static let longest = Duration.seconds(15 * 60)

    /// The longest wait among the given `Retry-After` values, between ``shortest`` and ``longest``.
    ///
    ///     3 → 3 s    1.5 → 2 s    0, -5, soon, none → 1 s    99999999999999999999 → 15 min
    ///
    /// A date is measured against the `Date` header of the same answer, since the two come from one clock; against
    /// `now`, in Unix seconds, when that header is missing or unreadable.
    package static func delay(_ values: [String], date: String?, now: Int64) -> Duration {
        let reference = date.flatMap { HTTPDate.parse($0, now: now) } ?? now
        let waits = values.compactMap { seconds($0, reference: reference) }
        return min(max(.seconds(waits.max() ?? 0), shortest), longest)
    }

    private static func seconds(_ value: String, reference: Int64) -> Int64? {
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
        var text = value.utf8.drop(while: isBlank)
        while let last = text.last, isBlank(last) { text.removeLast() }
        if let delta = deltaSeconds(text) { return delta }
        return HTTPDate.parse(String(Substring(text)), now: reference).map { $0 - reference }
    }

    /// RFC 9110 knows whole seconds only. A fraction is rounded up: no request may come before what was meant.
    private static func deltaSeconds(_ text: Substring.UTF8View) -> Int64? {
        let parts = text.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(\.isASCIIDigit) }) else { return nil }
        // Digits only, so the one way to fail is a number that fits no Int64.
        guard let whole = Int64(Substring(parts[0])), whole < Int64.max else { return Int64.max }
        let hasFraction = parts.count == 2 && parts[1].contains { $0 != 0x30 }
        return hasFraction ? whole + 1 : whole
    }
}
