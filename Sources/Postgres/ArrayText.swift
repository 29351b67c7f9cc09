/// Reads what PostgreSQL writes for an array of one dimension in text format: `{a,"b c",NULL}` ("Array Input and Output Syntax").
package enum ArrayText {
    /// The elements; nil when the text is no such array.
    package static func elements(_ text: String) -> [String?]? {
        // By scalars: a combining mark behind a brace makes one character of both.
        let scalars = text.unicodeScalars
        guard scalars.first == "{", scalars.last == "}", scalars.count >= 2 else { return nil }
        var elements: [String?] = []
        var element = ""
        var (isQuoted, isInside, isEscaped) = (false, false, false)
        func end() {
            elements.append(!isQuoted && element == "NULL" ? nil : element)
            (element, isQuoted) = ("", false)
        }
        for scalar in scalars.dropFirst().dropLast() {
            if isEscaped {
                element.unicodeScalars.append(scalar)
                isEscaped = false
                continue
            }
            switch scalar {
            case "\\": isEscaped = true
            case "\"":
                (isInside, isQuoted) = (!isInside, true)
            case "," where !isInside: end()
            case "{" where !isInside, "}" where !isInside: return nil
            default: element.unicodeScalars.append(scalar)
            }
        }
        guard !isInside, !isEscaped else { return nil }
        if !elements.isEmpty || !element.isEmpty || isQuoted { end() }
        return elements
    }
}
