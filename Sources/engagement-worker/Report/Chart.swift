import Enrichment

/// A chart over time as inline SVG, coloured by the page's style sheet.
struct Chart {
    struct Series {
        /// The class in the style sheet.
        var style: String
        /// From left to right; nil where nothing is known.
        var values: [Double?]
    }

    private static let width = 960.0
    private static let height = 160.0
    private static let left = 56.0
    private static let bottom = 22.0
    private static let top = 10.0

    /// What each place on the axis is called.
    var labels: [String]
    var title: String
    /// The values are seconds, and not counts.
    var isTime = false

    /// A value in words, for the axis and for who points at it.
    private func word(_ value: Double) -> String { isTime ? Wording.seconds(value) : Wording.count(Int(value)) }

    /// Bars, the later series on top of the earlier ones.
    func bars(_ series: [Series]) -> String {
        let totals = labels.indices.map { index in series.compactMap { $0.values[index] }.reduce(0, +) }
        let scale = Scale(largest: totals.max() ?? 0, isTime: isTime)
        let step = (Self.width - Self.left) / Double(max(labels.count, 1))
        var marks = ""
        for index in labels.indices {
            var base = 0.0
            let text = series.map { "\(word($0.values[index] ?? 0)) \($0.style)" }.joined(separator: ", ")
            var rectangles = ""
            for one in series {
                guard let value = one.values[index], value > 0 else { continue }
                let (y0, y1) = (y(base, scale), y(base + value, scale))
                rectangles += """
                    <rect class="\(one.style)" x="\(number(Self.left + Double(index) * step))" y="\(number(y1))" width="\(number(max(step - 1, 1)))" height="\(number(max(y0 - y1, 0.5)))"/>
                    """
                base += value
            }
            if !rectangles.isEmpty {
                marks += "<g><title>\(HTML.escaped("\(labels[index]): \(text)"))</title>\(rectangles)</g>\n"
            }
        }
        return svg(marks, scale)
    }

    /// A line with the area below it; it breaks where nothing is known.
    func line(_ series: Series) -> String {
        let scale = Scale(largest: series.values.compactMap(\.self).max() ?? 0, isTime: isTime)
        let step = (Self.width - Self.left) / Double(max(labels.count, 1))
        var runs: [[(x: Double, y: Double)]] = [[]]
        for (index, value) in series.values.enumerated() {
            guard let value else {
                runs.append([])
                continue
            }
            let x = Self.left + (Double(index) + 0.5) * step
            runs[runs.count - 1].append((x, y(value, scale)))
        }
        var marks = ""
        for run in runs where !run.isEmpty {
            let points = run.map { "\(number($0.x)),\(number($0.y))" }.joined(separator: " ")
            let (first, last) = (run[0].x - step / 2, run[run.count - 1].x + step / 2)
            let ends = ("\(number(first)),\(number(run[0].y))", "\(number(last)),\(number(run[run.count - 1].y))")
            let floor = number(Self.height - Self.bottom)
            marks += """
                <polygon class="\(series.style) area" points="\(number(first)),\(floor) \(ends.0) \(points) \(ends.1) \(number(last)),\(floor)"/>
                <polyline class="\(series.style)" points="\(ends.0) \(points) \(ends.1)"/>

                """
        }
        return svg(marks, scale)
    }

    /// From nothing to a round number above all values, as people round what is measured.
    private struct Scale {
        let top: Double

        init(largest: Double, isTime: Bool) {
            if isTime, let top = Self.times.first(where: { $0 >= largest }) {
                self.top = top
                return
            }
            // Beyond a day: in days.
            let base = isTime ? 86_400.0 : 1
            var unit = base
            while unit * 10 <= largest { unit *= 10 }
            top = [1, 2, 5, 10].map { $0 * unit }.first { $0 >= largest } ?? 10 * unit
        }

        private static let times: [Double] = [
            1, 2, 4, 10, 20, 60, 120, 240, 600, 1_200, 3_600, 7_200, 14_400, 43_200, 86_400,
        ]
    }

    private func y(_ value: Double, _ scale: Scale) -> Double {
        let room = Self.height - Self.bottom - Self.top
        return Self.height - Self.bottom - value / scale.top * room
    }

    private func svg(_ marks: String, _ scale: Scale) -> String {
        let lines = [0, 0.5, 1].map { share in
            let height = number(y(share * scale.top, scale))
            return """
                <line class="grid" x1="\(number(Self.left))" x2="\(number(Self.width))" y1="\(height)" y2="\(height)"/>\
                <text x="\(number(Self.left - 6))" y="\(number(y(share * scale.top, scale) + 4))" text-anchor="end">\(HTML.escaped(word(share * scale.top)))</text>
                """
        }.joined(separator: "\n")
        let step = (Self.width - Self.left) / Double(max(labels.count, 1))
        let count = 6
        let ticks = (0..<count).map { tick in
            let index = tick * labels.count / count
            return """
                <text x="\(number(Self.left + Double(index) * step))" y="\(number(Self.height - 6))">\(HTML.escaped(labels.indices.contains(index) ? labels[index] : ""))</text>
                """
        }.joined(separator: "\n")
        return """
            <svg viewBox="0 0 \(number(Self.width)) \(number(Self.height))" role="img" aria-label="\(HTML.escaped(title))">
            \(lines)
            \(marks)\(ticks)
            </svg>
            """
    }

    private func number(_ value: Double) -> String { HTML.hundredths(value) }
}
