package import Glibc
import Synchronization

/// A program as a child of the tests. Foundation's `Process` reads past the end of a directory's entries before it starts
/// one, which ends the tests now and then.
package final class ChildProcess: Sendable {
    /// Where one of the standard streams leads.
    package enum Stream: Sendable {
        case nothing
        case inherited
        case file(String)
        case descriptor(Int32)
    }

    package struct CannotStart: Error { package let path: String, code: Int32 }

    package let processIdentifier: pid_t
    /// As waitpid(2) gives it; nil while it runs.
    private let ended = Mutex<Int32?>(nil)

    /// - Parameter environment: nil leaves ours.
    package init(
        _ path: String, _ arguments: [String], environment: [String: String]? = nil, input: Stream = .nothing,
        output: Stream = .inherited, errors: Stream = .inherited
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, stream) in [input, output, errors].enumerated() {
            let flags = number == 0 ? O_RDONLY : O_WRONLY
            switch stream {
            case .nothing: posix_spawn_file_actions_addopen(&actions, Int32(number), "/dev/null", flags, 0)
            case .inherited: break
            case .file(let path): posix_spawn_file_actions_addopen(&actions, Int32(number), path, flags, 0)
            case .descriptor(let descriptor): posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
            }
        }
        _ = addCloseFrom(&actions, 3)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var words = ([path] + arguments).map { strdup($0) } + [nil]
        var variables = environment.map { $0.map { strdup("\($0)=\($1)") } + [nil] }
        defer { for word in words + (variables ?? []) { free(word) } }
        var child: pid_t = 0
        let status =
            if variables == nil {
                posix_spawn(&child, path, &actions, &attributes, &words, environ)
            } else {
                posix_spawn(&child, path, &actions, &attributes, &words, &variables!)
            }
        guard status == 0 else { throw CannotStart(path: path, code: status) }
        processIdentifier = child
        startThread { [self] in
            // Its number is not given to another before nobody can signal it any more.
            var information = siginfo_t()
            while waitid(P_PID, id_t(processIdentifier), &information, WEXITED | WNOWAIT) == -1, errno == EINTR {}
            ended.withLock { ended in
                var status: Int32 = 0
                precondition(waitpid(processIdentifier, &status, 0) == processIdentifier, "somebody else waited for it")
                ended = status
            }
        }
    }

    /// Does nothing once it has ended.
    package func signal(_ number: Int32) {
        ended.withLock { if $0 == nil { kill(processIdentifier, number) } }
    }

    package var isRunning: Bool { ended.withLock { $0 == nil } }

    /// The exit code, or minus the signal that ended it; nil while it runs.
    package var status: Int32? {
        ended.withLock(\.self).map { status in
            let signal = status & 0x7F
            return signal == 0 ? (status >> 8) & 0xFF : -signal
        }
    }
}

/// Closes what is open from this descriptor on (glibc 2.34). Swift's Glibc does not show it.
@_silgen_name("posix_spawn_file_actions_addclosefrom_np")
private func addCloseFrom(_ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>, _ first: Int32) -> Int32
