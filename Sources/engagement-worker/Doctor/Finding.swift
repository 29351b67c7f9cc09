/// What one check of "doctor" found.
struct Finding: Equatable, Sendable {
    enum Mark: String, CaseIterable, Sendable {
        case ok, warning, failure
        /// Not looked at, since something before it failed or is not there.
        case skipped

        var sign: String {
            switch self {
            case .ok: "✓"
            case .warning: "!"
            case .failure: "✗"
            case .skipped: "-"
            }
        }
    }

    var mark: Mark
    /// What was looked at, in one word or two.
    var area: String
    var text: String
    /// The next command, or what to do: with each failure and each warning.
    var next: String?

    static func ok(_ area: String, _ text: String) -> Finding { Finding(mark: .ok, area: area, text: text) }

    static func skipped(_ area: String, _ text: String) -> Finding { Finding(mark: .skipped, area: area, text: text) }

    static func warning(_ area: String, _ text: String, next: String) -> Finding {
        Finding(mark: .warning, area: area, text: text, next: next)
    }

    static func failure(_ area: String, _ text: String, next: String) -> Finding {
        Finding(mark: .failure, area: area, text: text, next: next)
    }

    static func failure(_ area: String, _ failure: Failure) -> Finding {
        .failure(area, failure.message, next: failure.hint ?? "engagement-worker doctor --help")
    }

    /// One line, and one more for what to do.
    func text(_ style: Style) -> String {
        let paint: Style.Paint =
            switch mark {
            case .ok: .green
            case .warning: .yellow
            case .failure: .red
            case .skipped: .dim
            }
        let padding = String(repeating: " ", count: max(0, Self.width - TextWidth.of(area)))
        var lines = "\(style.paint(mark.sign, paint)) \(area)\(padding)  \(TextEscaper.visible(text))\n"
        if let next { lines += String(repeating: " ", count: Self.width + 4) + "→ \(TextEscaper.visible(next))\n" }
        return lines
    }

    private static let width = 14

    var json: JSONText {
        .object([
            .init(name: "status", value: .string(mark.rawValue)), .init(name: "check", value: .string(area)),
            .init(name: "text", value: .string(text)), .init(name: "next", value: JSONText(next)),
        ])
    }
}
