/// Small pictures of numbers, in characters.
enum Spark {
    private static let steps: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

    /// One character a value, from nothing to the largest; a blank where nothing is known. Only zero is at the bottom.
    static func line(_ values: [Double?]) -> String {
        let top = values.compactMap(\.self).max() ?? 0
        return String(
            values.map { value in
                guard let value else { return " " }
                guard value > 0, top > 0 else { return steps[0] }
                return steps[max(1, min(steps.count - 1, Int((value / top * Double(steps.count - 1)).rounded())))]
            })
    }

    /// A bar of so many characters for a share between 0 and 1. It is full only for all, and empty only for none.
    static func bar(_ share: Double, width: Int = 20) -> String {
        var filled = Int((share * Double(width)).rounded())
        if share < 1 { filled = min(filled, width - 1) }
        if share > 0 { filled = max(filled, 1) }
        return String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
    }
}
