/// Rows and columns as aligned text.
struct Table: Sendable {
    enum Alignment: Sendable { case left, right }

    struct Column: Sendable {
        var title: String
        var alignment: Alignment = .left
        /// Wider cells are cut and end in "…".
        var maximumWidth: Int = 80
    }

    var columns: [Column]
    private(set) var rows: [[String]] = []

    init(_ columns: [Column]) {
        self.columns = columns
    }

    init(_ titles: String...) {
        self.init(titles.map { Column(title: $0) })
    }

    /// Adds a row. Nil is shown as "-", control characters as escapes.
    mutating func add(_ cells: [String?]) {
        precondition(cells.count == columns.count, "a row has as many cells as the table has columns")
        rows.append(
            zip(cells, columns).map { cell, column in
                TextWidth.truncated(TextEscaper.visible(cell ?? "-"), to: column.maximumWidth)
            }
        )
    }

    /// The table, every line ending in a line end, titles in bold if the style allows.
    func text(style: Style = .plain) -> String {
        let titles = columns.map(\.title)
        let widths = columns.indices.map { column in
            ([titles] + rows).map { TextWidth.of($0[column]) }.max() ?? 0
        }
        let lines = [style.paint(line(titles, widths), .bold)] + rows.map { line($0, widths) }
        return lines.map { $0 + "\n" }.joined()
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        var line = ""
        for (index, cell) in cells.enumerated() {
            let padding = String(repeating: " ", count: widths[index] - TextWidth.of(cell))
            line += index == 0 ? "" : "  "
            line += columns[index].alignment == .left ? cell + padding : padding + cell
        }
        while line.last == " " { line.removeLast() }
        return line
    }
}
