/// How much a record matters to an operator.
///
/// `error`: a person must act. `warning`: degraded, recovering by itself. `notice`: start, stop, dead letter.
/// `info`: one line a job. `debug`: each request. What is going to be retried is not an error.
package enum LogLevel: String, CaseIterable, Comparable, Sendable {
    case debug, info, notice, warning, error

    private var rank: Int {
        switch self {
        case .debug: 0
        case .info: 1
        case .notice: 2
        case .warning: 3
        case .error: 4
        }
    }

    package static func < (left: LogLevel, right: LogLevel) -> Bool {
        left.rank < right.rank
    }
}
