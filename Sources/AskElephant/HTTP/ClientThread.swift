import NIOCore
import NIOPosix

/// The one thread that requests are sent and answered on, also for the actors and tasks that every request passes.
///
/// A request touches some ten actors. On the shared pool each of these visits may wake a thread, which costs more than
/// what is done there; on the thread where the answer arrives it is a call. An actor names ``actors`` as its executor, a
/// task ``tasks``: both are needed, since a task that was resumed goes by way of its own executor to its actor's.
///
/// Nothing that blocks or computes for long belongs here.
package enum ClientThread {
    static let eventLoop = MultiThreadedEventLoopGroup.singleton.any()

    package static let actors = eventLoop.executor.asUnownedSerialExecutor()
    package static let tasks: any TaskExecutor = Tasks()

    private final class Tasks: TaskExecutor {
        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            ClientThread.eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }
    }
}
