/// What happened, as the field `event` says it. People's dashboards match on these names: add, never rename.
///
/// A state is logged when it changes, not once a job. The one list is the manual's; it is made from this one.
package enum LogEvent: String, CaseIterable, Sendable {
    /// Exactly one for each claim that its worker lived to end (see ``JobDone``).
    case jobDone = "job.done"
    /// Postgres refuses even to take a job back; its lease will run out.
    case jobStuck = "job.stuck"

    /// The configuration, redacted.
    case workerStart = "worker.start"
    case workerReady = "worker.ready"
    case workerStop = "worker.stop"
    /// Each 60 s, also when idle and while the database is away (see ``Heartbeat``).
    case workerHeartbeat = "worker.heartbeat"

    /// The URL of the dead man's switch does not answer, or does again.
    case heartbeatFailed = "heartbeat.failed"
    case heartbeatRestored = "heartbeat.restored"
    /// Where health and metrics are served.
    case monitorReady = "monitor.ready"
    /// The port is not listened on any more, which is mended by itself.
    case monitorLost = "monitor.lost"

    case scopeDenied = "scope.denied"
    case scopeGranted = "scope.granted"
    case credentialInvalid = "credential.invalid"
    case credentialRestored = "credential.restored"
    /// Other users of the machine may read the token's file.
    case credentialExposed = "credential.exposed"
    case rateLimited = "rate.limited"
    case rateRestored = "rate.restored"
    case apiLost = "api.lost"
    case apiRestored = "api.restored"

    case dbLost = "db.lost"
    case dbRestored = "db.restored"
    /// Postgres says something beside its answers, without its text; each kind once.
    case dbNotice = "db.notice"
    case listenLost = "listen.lost"
    case listenRestored = "listen.restored"
    case leaseReclaimed = "lease.reclaimed"
    case schemaMismatch = "schema.mismatch"
    case schemaMigrated = "schema.migrated"
    case clockSkew = "clock.skew"
    case queueBloat = "queue.bloat"
    /// What is done now and then did not work.
    case upkeepFailed = "upkeep.failed"

    case receiverReady = "receiver.ready"
    case receiverStop = "receiver.stop"
    /// The port is not listened on any more, which is mended by itself.
    case receiverLost = "receiver.lost"
    /// The file of secrets cannot be used, or can be again.
    case webhookSecrets = "webhook.secrets"
    /// Each 60 s, with counts since it started.
    case receiverHeartbeat = "receiver.heartbeat"
    /// A request that is no webhook which we take, once a cause, then once a minute at most; `n` counts them.
    case webhookRefused = "webhook.refused"
    /// One webhook, at level debug.
    case webhook

    /// The list was walked through for what nobody had inserted.
    case sweepDone = "sweep.done"
    /// It was not, and is tried again.
    case sweepFailed = "sweep.failed"

    /// Lines that nobody will see, since whoever reads the log was too slow; `n` says how many.
    case logDropped = "log.dropped"

    /// One request to the API, at level debug.
    case request

    /// What a library of others says, in its own words.
    case library = "library.log"
}
