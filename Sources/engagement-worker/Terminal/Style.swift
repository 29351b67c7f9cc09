/// When colours are wanted.
enum ColorChoice: String, CaseIterable, Sendable {
    case auto, always, never
}

/// Colours, or none.
struct Style: Equatable, Sendable {
    enum Paint: String, Sendable {
        case bold = "1"
        case dim = "2"
        case red = "31"
        case green = "32"
        case yellow = "33"
        case cyan = "36"
    }

    let isColored: Bool

    static let plain = Style(isColored: false)
    static let colored = Style(isColored: true)

    /// The style for an output. `always` and `never` hold; otherwise `NO_COLOR` (no-color.org: set and not empty),
    /// then `CLICOLOR_FORCE` (set, not empty, not 0), then `TERM=dumb`, then whether it is a terminal.
    static func resolve(_ choice: ColorChoice, environment: [String: String], isTerminal: Bool) -> Style {
        switch choice {
        case .always: return .colored
        case .never: return .plain
        case .auto: break
        }
        if let noColor = environment["NO_COLOR"], !noColor.isEmpty { return .plain }
        if let force = environment["CLICOLOR_FORCE"], !force.isEmpty, force != "0" { return .colored }
        if environment["TERM"] == "dumb" { return .plain }
        return isTerminal ? .colored : .plain
    }

    func paint(_ text: String, _ paint: Paint) -> String {
        isColored ? "\u{1B}[\(paint.rawValue)m\(text)\u{1B}[0m" : text
    }
}
