/// A file of `NAME=value` lines, as systemd, Docker and Kubernetes read it.
///
/// These differ on quotes and on `export`, and the configuration library keeps both as part of the value. So neither
/// is allowed, and what would be skipped or overwritten in silence is a mistake: a file means the same to everyone.
struct EnvironmentFile: Equatable, Sendable {
    struct Entry: Equatable, Sendable {
        var value: String
        var line: Int
    }

    let path: String
    private(set) var entries: [String: Entry] = [:]
    private(set) var mistakes: [SettingsError.Mistake] = []

    init(path: String, text: String) {
        self.path = path
        let withoutMark = text.hasPrefix("\u{FEFF}") ? text.dropFirst() : text[...]
        let lines = withoutMark.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            read(line.trimmed, number: index + 1)
        }
    }

    /// A file that could not be read at all, to be reported together with the other mistakes.
    init(path: String, unreadable problem: String) {
        self.path = path
        mistakes = [.init(subject: path, problem: problem)]
    }

    private mutating func read(_ line: String, number: Int) {
        guard !line.isEmpty, !line.hasPrefix("#") else { return }
        if line.hasPrefix("export ") {
            return refuse(number, "begins with 'export'; write NAME=value")
        }
        guard let equals = line.firstIndex(of: "="), equals > line.startIndex else {
            return refuse(number, "is not NAME=value")
        }
        let name = line[..<equals].trimmed
        let value = line[line.index(after: equals)...].trimmed
        if value.hasPrefix("\"") || value.hasPrefix("'") {
            return refuse(number, "(\(name)) has quotes, which would become part of the value; remove them")
        }
        if let earlier = entries[name] {
            return refuse(number, "(\(name)) says again what line \(earlier.line) said")
        }
        entries[name] = Entry(value: value, line: number)
    }

    private mutating func refuse(_ line: Int, _ problem: String) {
        mistakes.append(.init(subject: "\(path):\(line)", problem: problem))
    }
}

extension StringProtocol {
    /// Without whitespace at its ends.
    var trimmed: String {
        let start = drop(while: \.isWhitespace)
        let end = start.lastIndex { !$0.isWhitespace }
        return end.map { String(start[...$0]) } ?? ""
    }
}
