/// How many columns of a terminal a text takes: one a character, two for East Asian wide ones and emoji. Terminals
/// differ on rare characters; a table is then off by one in that row.
enum TextWidth {
    static func of(_ text: String) -> Int {
        text.utf8.allSatisfy { $0 < 0x80 } ? text.utf8.count : text.reduce(0) { $0 + of($1) }
    }

    /// The text, or as much of it as fits before a "…".
    static func truncated(_ text: String, to width: Int) -> String {
        guard of(text) > width else { return text }
        var rest = width - 1
        let kept = text.prefix { character in
            rest -= of(character)
            return rest >= 0
        }
        return kept + "…"
    }

    private static func of(_ character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
            0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            return 2
        default:
            return scalar.properties.generalCategory == .nonspacingMark ? 0 : 1
        }
    }
}
