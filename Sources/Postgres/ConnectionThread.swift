import Glibc

/// The thread that one connection lives on: calls that block do so here, never on the shared pool.
///
/// It is its actor's executor. It keeps itself alive until ``stop()``, since an actor may go before its last job has left
/// the thread.
final class ConnectionThread: SerialExecutor, @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [UnownedJob] = []
    private var isStopped = false

    /// Nil where the system has no thread left.
    init?() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        var thread = pthread_t()
        let itself = Unmanaged.passRetained(self)
        let status = pthread_create(
            &thread, nil, { Unmanaged<ConnectionThread>.fromOpaque($0!).takeRetainedValue().run() }, itself.toOpaque())
        guard status == 0 else {
            itself.release()
            return nil
        }
        pthread_detach(thread)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        locked { jobs.append(job) }
    }

    /// Ends the thread once its jobs are done.
    func stop() {
        locked { isStopped = true }
    }

    private func locked(_ change: () -> Void) {
        pthread_mutex_lock(mutex)
        change()
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    private func run() -> UnsafeMutableRawPointer? {
        while let batch = nextJobs() {
            for job in batch { job.runSynchronously(on: asUnownedSerialExecutor()) }
        }
        return nil
    }

    private func nextJobs() -> [UnownedJob]? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while jobs.isEmpty {
            if isStopped { return nil }
            pthread_cond_wait(condition, mutex)
        }
        defer { jobs.removeAll(keepingCapacity: true) }
        return jobs
    }
}
