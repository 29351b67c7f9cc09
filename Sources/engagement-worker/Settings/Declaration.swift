/// One setting: its names, its meaning, and how it gets into ``Settings``.
struct Declaration: Sendable {
    static let prefix = "ENGAGEMENT_WORKER_"

    /// The variable in the environment and in the file.
    let variable: String
    /// The flag without its dashes; nil where there is none, as for everything that may be a secret.
    let flag: String?
    /// One sentence without its full stop.
    let help: String
    /// What may be written.
    let form: String
    /// What stands in the example where there is no default.
    let sample: String?
    /// Whether an empty variable counts as none. It does where there is no default; everywhere else it is a mistake.
    let mayBeEmpty: Bool
    /// The configuration library's key, of which it makes the variable's name by itself.
    let key: [String]

    /// Reads a value into the settings.
    let read: @Sendable (String, inout Settings) throws(BadValue) -> Void
    /// The value as it may be shown; nil for none.
    let show: @Sendable (Settings) -> String?
}

extension Declaration {
    typealias Path<Value> = any WritableKeyPath<Settings, Value> & Sendable

    /// Mistakes may quote what was written, unless it may be a secret or, as an address, contain one.
    var isQuotable: Bool { flag != nil }

    /// A setting with a flag, and the variable that mechanically belongs to it.
    static func flag<Value>(
        _ name: String, _ path: Path<Value>, _ kind: SettingKind<Value>,
        sample: String? = nil, help: String
    ) -> Declaration {
        make(["engagement-worker", name], flag: name, path, kind, sample: sample, help: help)
    }

    /// A setting that only the environment and the file can give, since it may be a secret or stand beside one.
    static func variable<Value>(
        _ name: String, _ path: Path<Value>, _ kind: SettingKind<Value>,
        sample: String? = nil, help: String
    ) -> Declaration {
        make([name], flag: nil, path, kind, sample: sample, help: help)
    }

    private static func make<Value>(
        _ key: [String], flag: String?, _ path: Path<Value>,
        _ kind: SettingKind<Value>, sample: String?, help: String
    ) -> Declaration {
        Declaration(
            variable: key.joined(separator: "_").uppercased().replacing("-", with: "_"),
            flag: flag,
            help: help,
            form: kind.form,
            sample: sample,
            mayBeEmpty: kind.show(Settings()[keyPath: path]) == nil,
            key: key,
            read: { text, settings throws(BadValue) in settings[keyPath: path] = try kind.parse(text) },
            show: { kind.show($0[keyPath: path]) }
        )
    }
}
