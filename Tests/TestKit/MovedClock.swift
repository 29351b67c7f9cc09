import Foundation

/// A wall clock that is wrong, for processes of its own: a library that is loaded before glibc. Monotonic clocks and timers
/// stay as they are, as they do when a host's clock is set; Debian's faketime moves timers too.
package struct MovedClock: Sendable {
    /// What makes a process see this clock.
    package let environment: [String: String]
    private let file: String
    private static let counter = Counter()

    /// A clock that is right, for now.
    package init() async throws {
        let library = try await Self.library.value
        file = TestCluster.folder + "/clock-\(getpid())-\(Self.counter.next())"
        environment = ["LD_PRELOAD": library, "MOVED_CLOCK": file]
        try move(by: 0)
    }

    /// From now on the clock is off by so many seconds, ahead or, below zero, behind.
    package func move(by seconds: Int) throws {
        try String(seconds).write(toFile: file, atomically: true, encoding: .utf8)
    }

    private static let library = Task {
        let library = TestCluster.folder + "/moved-clock-\(getpid()).so"
        try source.write(toFile: library + ".c", atomically: false, encoding: .utf8)
        let compiled = try await Program.run("clang", ["-shared", "-fPIC", "-O1", "-o", library, library + ".c"])
        guard compiled.status == 0 else { throw TimedOut(description: "clang: \(compiled.errors)") }
        return library
    }

    private static let source = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdlib.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>

        static long offset(void) {
            char text[32] = {0};
            const char *name = getenv("MOVED_CLOCK");
            int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
            if (file < 0) return 0;
            if (read(file, text, sizeof text - 1) < 0) text[0] = 0;
            close(file);
            return atol(text);
        }
        int clock_gettime(clockid_t clock, struct timespec *now) {
            int result = syscall(SYS_clock_gettime, clock, now);
            if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += offset();
            return result;
        }
        int gettimeofday(struct timeval *now, void *zone) {
            struct timespec exact;
            int result = clock_gettime(CLOCK_REALTIME, &exact);
            now->tv_sec = exact.tv_sec;
            now->tv_usec = exact.tv_nsec / 1000;
            return result;
        }
        time_t time(time_t *now) {
            struct timespec exact;
            clock_gettime(CLOCK_REALTIME, &exact);
            if (now) *now = exact.tv_sec;
            return exact.tv_sec;
        }
        """
}
