import Foundation
import Glibc

/// CPU and memory as the kernel counts them.
enum ProcessTimes {
    private static let tick = Double(sysconf(Int32(_SC_CLK_TCK)))

    /// Seconds of user and system time of a process, and of the children that it has waited for.
    static func cpu(of process: Int32) -> Double {
        fields(process).map { fields in fields[11...14].compactMap { Double($0) }.reduce(0, +) / tick } ?? 0
    }

    /// The same of a server and all its backends, those that ended too.
    static func cpu(ofTree parent: Int32) -> Double {
        let children = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { Int32($0) } ?? []
        return cpu(of: parent)
            + children.filter { (fields($0) ?? []).dropFirst().first == Substring(String(parent)) }.map { cpu(of: $0) }
            .reduce(0, +)
    }

    /// Seconds of the children of this process that have ended.
    static var ofEndedChildren: Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    /// The most memory that a process had resident, in MB.
    static func peakMegabytes(of process: Int32) -> Double {
        let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return (line?.split(separator: " ").compactMap { Double($0) }.first ?? 0) / 1024
    }

    /// The fields of /proc/…/stat from the third on: state, parent, …
    private static func fields(_ process: Int32) -> [Substring]? {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return nil }
        return text[text.index(after: end)...].split(separator: " ")
    }
}
