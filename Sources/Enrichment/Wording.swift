/// Numbers as people say them.
package enum Wording {
    /// A length of time in its largest unit: `0.8 s`, `42 s`, `7 min`, `3 h`, `12 d`.
    package static func seconds(_ seconds: Double) -> String {
        let seconds = max(0, seconds)
        return switch seconds {
        case 0: "0 s"
        case ..<10: "\((seconds * 10).rounded() / 10) s"
        case ..<120: "\(Int(seconds)) s"
        case ..<7200: "\(Int((seconds / 60).rounded())) min"
        case ..<172_800: "\(Int((seconds / 3600).rounded())) h"
        default: "\(Int((seconds / 86_400).rounded())) d"
        }
    }

    /// `43 ms`.
    package static func milliseconds(_ time: Duration) -> String { "\(Int(time / .milliseconds(1))) ms" }

    /// `1,234,567`.
    package static func count(_ number: Int) -> String {
        let digits = String(number.magnitude)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return (number < 0 ? "-" : "") + text
    }

    /// A count that stops at 10,001.
    package static func bounded(_ number: Int) -> String { number > 10_000 ? "10,000+" : count(number) }

    /// Whole percents; 100 only for all, and 0 only for none.
    package static func percent(_ share: Double) -> String {
        if share > 0, share < 0.01 { return "<1 %" }
        if share < 1, share > 0.99 { return ">99 %" }
        return "\(Int((share * 100).rounded())) %"
    }
}
