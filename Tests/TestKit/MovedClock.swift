import Foundation

/// A wall clock that is wrong, for a process of its own: `faketime` as a library, without the monotonic clock.
package enum MovedClock {
    /// The environment of a process whose wall clock is off by so much; nil where faketime is not installed.
    package static func environment(_ offset: Duration) -> [String: String]? {
        let folders = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib")) ?? []
        let libraries = folders.map { "/usr/lib/\($0)/faketime/libfaketimeMT.so.1" }
        guard let library = libraries.first(where: { FileManager.default.fileExists(atPath: $0) }) else { return nil }
        let seconds = Int(offset / .seconds(1))
        return [
            "LD_PRELOAD": library, "FAKETIME": (seconds < 0 ? "" : "+") + "\(seconds)", "DONT_FAKE_MONOTONIC": "1",
        ]
    }
}
