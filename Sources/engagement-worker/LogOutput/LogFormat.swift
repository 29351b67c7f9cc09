/// What a line looks like.
enum LogFormat: String, CaseIterable, Sendable {
    /// Pretty on a terminal, JSON otherwise.
    case auto
    case pretty
    case logfmt
    case json

    /// The encoder for an output that is a terminal or not.
    func encoder(isTerminal: Bool, style: Style) -> LogEncoder {
        switch self {
        case .auto: isTerminal ? .pretty(style) : .json
        case .pretty: .pretty(style)
        case .logfmt: .logfmt
        case .json: .json
        }
    }
}
