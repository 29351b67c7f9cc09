import NIOCore

/// Runs work that must end by a point in time, and cancels it then, or when the calling task is cancelled. The work
/// has to heed the cancellation.
func withDeadline<Result: Sendable>(
    _ deadline: NIODeadline, on eventLoop: any EventLoop, _ work: @escaping @Sendable () async -> Result
) async -> Result {
    let task = Task { await work() }
    let timer = eventLoop.scheduleTask(deadline: deadline) { task.cancel() }
    defer { timer.cancel() }
    return await withTaskCancellationHandler {
        await task.value
    } onCancel: {
        task.cancel()
    }
}
