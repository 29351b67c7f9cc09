/// What a line looks like.
enum LogFormat: String, CaseIterable, Sendable {
    /// Pretty on a terminal; on its way to systemd's journal JSON behind the priority; JSON otherwise.
    case auto
    case pretty
    case logfmt
    case json

    /// The encoder for an output that is a terminal, or systemd's journal, or something else.
    func encoder(isTerminal: Bool, isJournal: Bool, style: Style) -> LogEncoder {
        switch self {
        case .auto: isTerminal ? .pretty(style) : isJournal ? .journal : .json
        case .pretty: .pretty(style)
        case .logfmt: .logfmt
        case .json: .json
        }
    }
}
