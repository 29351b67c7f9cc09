/// How the process ends, after sysexits. One table for all commands; supervisors and scripts depend on it.
enum ExitCode: Int32, CaseIterable, Sendable {
    /// Done, drained, or asked to stop.
    case ok = 0
    /// A check found something: `doctor`, `verify`, jobs that died in `run --once`. What was named is not there, or a question was
    /// not answered with yes.
    case found = 1
    /// The command line is wrong. ArgumentParser ends with the same number by itself.
    case usage = 64
    /// The schema and this binary do not match. A supervisor may start it again; it heals once migrated.
    case schemaMismatch = 65
    /// The database was not reached within the start budget, or does not serve for now: no primary, a lock, a time-out.
    case databaseUnreachable = 69
    /// A defect of ours.
    case defect = 70
    /// Stopped before it was drained: by a second signal, or with `--once` in a pause while jobs were due.
    case stoppedEarly = 75
    /// The credential was refused. One-shot commands only: `run` waits for a better one.
    case credentialRefused = 77
    /// The configuration is wrong, which includes a refused Postgres password and an unknown database.
    case configuration = 78
}
