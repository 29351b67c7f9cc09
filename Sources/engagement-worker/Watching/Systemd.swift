import Enrichment
import Glibc

/// What a service tells systemd (sd_notify(3)): that it is ready, what it does, that it moves. Without `$NOTIFY_SOCKET` it tells
/// nobody.
struct Systemd: Sendable {
    private let socket: String?
    /// How often the watchdog wants to hear of us; nil: there is none.
    let watchdogInterval: Duration?

    init(environment: [String: String], processID: Int32 = getpid()) {
        socket = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
        let isOurs = environment["WATCHDOG_PID"].map { $0 == String(processID) } ?? true
        watchdogInterval = environment["WATCHDOG_USEC"].flatMap(Int64.init).flatMap { limit in
            // Half of what it bears, as sd_watchdog_enabled(3) advises.
            isOurs && limit > 0 ? .microseconds(limit / 2) : nil
        }
    }

    var isThere: Bool { socket != nil }

    func ready() { send("READY=1", isUrgent: true) }

    func stopping() { send("STOPPING=1\nSTATUS=stopping", isUrgent: true) }

    func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        send(
            "RELOADING=1\nMONOTONIC_USEC=\(Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1_000)", isUrgent: true)
    }

    /// One line for `systemctl status`.
    func status(_ text: String) { send("STATUS=" + TextEscaper.visible(text)) }

    func alive() { send("WATCHDOG=1") }

    /// A datagram. What is said once waits for a moment if systemd is slow to read; what is said again soon does not.
    private func send(_ text: String, isUrgent: Bool = false) {
        guard let path = socket, path.hasPrefix("/") || path.hasPrefix("@") else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count < room else { return }
        // An abstract name begins with a zero byte.
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size - room + bytes.count + (bytes[0] == 0 ? 0 : 1))
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let message = Array(text.utf8)
        var limit = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let flags = Int32(MSG_NOSIGNAL) | (isUrgent ? 0 : Int32(MSG_DONTWAIT))
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(
                    descriptor, message, message.count, flags, $0,
                    length)
            }
        }
    }
}
