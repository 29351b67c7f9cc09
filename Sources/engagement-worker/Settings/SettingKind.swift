import Enrichment

/// Why a value cannot be used, as the end of a sentence that began with the setting's name. Never quotes the value.
struct BadValue: Error, Equatable {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}

/// How values of one type are read and shown.
struct SettingKind<Value: Sendable>: Sendable {
    /// What may be written, for people: "a duration from 5s to 10m".
    let form: String
    let parse: @Sendable (String) throws(BadValue) -> Value
    /// The value redacted where it must be; nil for no value.
    let show: @Sendable (Value) -> String?
}

extension SettingKind where Value == Duration {
    static func duration(_ range: ClosedRange<Duration>) -> Self {
        let form = "from \(DurationText.print(range.lowerBound)) to \(DurationText.print(range.upperBound))"
        return Self(
            form: "a duration " + form,
            parse: { text throws(BadValue) in try inRange(DurationText.parse(text), range, form) },
            show: { DurationText.print($0) }
        )
    }
}

extension SettingKind where Value == Int {
    static func integer(_ range: ClosedRange<Int>) -> Self {
        let form = "from \(range.lowerBound) to \(range.upperBound)"
        return Self(
            form: "a whole number " + form,
            parse: { text throws(BadValue) in
                guard let number = Int(text) else { throw BadValue("is not a whole number") }
                return try inRange(number, range, form)
            },
            show: { "\($0)" }
        )
    }

    static func bytes(_ range: ClosedRange<Int>) -> Self {
        let form = "from \(ByteCountText.print(range.lowerBound)) to \(ByteCountText.print(range.upperBound))"
        return Self(
            form: "an amount of memory " + form,
            parse: { text throws(BadValue) in try inRange(ByteCountText.parse(text), range, form) },
            show: { ByteCountText.print($0) }
        )
    }
}

extension SettingKind where Value == Bool {
    static var boolean: Self {
        Self(
            form: "true or false",
            parse: { text throws(BadValue) in
                switch text {
                case "true", "1", "yes", "on": return true
                case "false", "0", "no", "off": return false
                default: throw BadValue("is neither true nor false")
                }
            },
            show: { $0 ? "true" : "false" }
        )
    }
}

extension SettingKind where Value: CaseIterable & RawRepresentable<String> {
    static var choice: Self {
        let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
        return Self(
            form: "one of \(names)",
            parse: { text throws(BadValue) in
                guard let value = Value(rawValue: text) else { throw BadValue("is none of \(names)") }
                return value
            },
            show: { $0.rawValue }
        )
    }
}

private func inRange<Value: Comparable>(
    _ value: Value, _ range: ClosedRange<Value>, _ form: String
) throws(BadValue) -> Value {
    guard range.contains(value) else { throw BadValue("is out of range; it goes \(form)") }
    return value
}

extension SettingKind where Value == Int? {
    /// A whole number, or none for no limit.
    static func limit(_ range: ClosedRange<Int>) -> Self {
        let number = SettingKind<Int>.integer(range)
        return Self(
            form: number.form,
            parse: { text throws(BadValue) in try number.parse(text) },
            show: { $0.flatMap { number.show($0) } }
        )
    }
}

extension SettingKind where Value == Duration? {
    /// A duration, or none.
    static func durationOrNone(_ range: ClosedRange<Duration>) -> Self {
        let duration = SettingKind<Duration>.duration(range)
        return Self(
            form: duration.form,
            parse: { text throws(BadValue) in try duration.parse(text) },
            show: { $0.flatMap { duration.show($0) } }
        )
    }
}
