import Enrichment

/// Text that may stand in a page: whatever it is, it ends no element and no attribute.
enum HTML {
    static func escaped(_ text: String) -> String {
        var escaped = ""
        // By scalars, as a browser reads: a combining mark behind "<" makes one character of both.
        for scalar in TextEscaper.visible(text).unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// A table; the columns named are aligned to the right. Nil where there is no row.
    static func table(_ titles: [String], right: Set<Int> = [], _ rows: [[String]]) -> String? {
        guard !rows.isEmpty else { return nil }
        func cell(_ tag: String, _ column: Int, _ text: String) -> String {
            "<\(tag)\(right.contains(column) ? " class=\"number\"" : "")>\(text)</\(tag)>"
        }
        let head = titles.enumerated().map { cell("th", $0.offset, escaped($0.element)) }.joined()
        let body = rows.map { "<tr>\($0.enumerated().map { cell("td", $0.offset, $0.element) }.joined())</tr>" }.joined(
            separator: "\n")
        return "<table><thead><tr>\(head)</tr></thead><tbody>\n\(body)\n</tbody></table>"
    }

    /// A share between 0 and 1 as a bar with its percents.
    static func bar(_ share: Double) -> String {
        let width = share > 0 ? max(share * 100, 1) : 0
        return """
            <span class="bar"><span style="width:\(hundredths(width))%"></span></span> \(Wording.percent(share))
            """
    }

    static func hundredths(_ number: Double) -> String {
        let rounded = (number * 100).rounded() / 100
        return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
    }
}
