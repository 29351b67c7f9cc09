import Glibc
import Monitor
import Receiver

/// The process's limit of open files.
///
/// Once it is met the process dies: libdispatch reads `/proc` each second to see whether its threads run, and takes a failure
/// for a bug of its own. So a worker makes sure at start that it cannot come to that.
enum OpenFiles {
    /// Log, clocks, event loops, and what closes while its successor opens already.
    private static let reserve = 64

    private static func needed(_ settings: Settings, receives: Bool) -> UInt {
        // A connection to the database takes two: its socket, and what wakes whoever waits for it.
        let received = receives ? Receiver.maxConnections + 2 : 0
        let watched = settings.httpAddress == nil ? 0 : Monitor.maxConnections + 2
        let each = settings.concurrency + 2 * (settings.writers + 5)
        return UInt(each * max(1, settings.workspaces.count) + received + watched + reserve)
    }

    /// Raises the limit to what these settings need, or fails if the hard limit is lower.
    static func makeRoom(for settings: Settings, receives: Bool) throws(Failure) {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        let needed = needed(settings, receives: receives)
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < needed else { return }
        guard limit.rlim_max >= needed else {
            throw Failure(
                .configuration,
                "concurrency \(settings.concurrency) needs \(needed) open files, and the limit is \(limit.rlim_max)",
                hint: "raise it (ulimit -n, LimitNOFILE=, --ulimit nofile=) or lower --concurrency")
        }
        limit.rlim_cur = needed
        _ = setrlimit(resource, &limit)
    }
}
