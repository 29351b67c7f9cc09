/// Amounts of memory: a whole number of bytes, or one followed by KB, MB or GB, which are powers of 1,024 as they are
/// in Postgres' own settings.
enum ByteCountText {
    private static let units: [(name: String, bytes: Int)] = [("KB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30)]

    static func parse(_ text: String) throws(BadValue) -> Int {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text[digits.endIndex...].drop(while: \.isWhitespace)
        guard !digits.isEmpty else { throw BadValue("is no amount of memory; write one such as 32MB") }
        guard unit.isEmpty || units.contains(where: { $0.name == unit }) else {
            throw BadValue("has an unknown unit; the units are KB, MB and GB, or none for bytes")
        }
        let factor = units.first { $0.name == unit }?.bytes ?? 1
        guard let number = Int(digits), case (let product, false) = number.multipliedReportingOverflow(by: factor)
        else { throw BadValue("is too large") }
        return product
    }

    /// In the largest unit that has no remainder.
    static func print(_ bytes: Int) -> String {
        guard let unit = units.last(where: { bytes % $0.bytes == 0 && bytes != 0 }) else { return "\(bytes)" }
        return "\(bytes / unit.bytes)\(unit.name)"
    }
}
