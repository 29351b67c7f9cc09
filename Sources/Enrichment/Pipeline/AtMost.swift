/// Does the work, and goes on after the limit whether it has ended or not; nil if it has not. What is left of it is left to itself.
package func atMost<Value: Sendable>(
    _ limit: Duration, _ work: @escaping @Sendable () async -> Value
) async -> Value? {
    let (values, end) = AsyncStream<Value>.makeStream()
    Task {
        end.yield(await work())
        end.finish()
    }
    let alarm = Task {
        try await Task.sleep(for: limit)
        end.finish()
    }
    defer { alarm.cancel() }
    return await values.first { _ in true }
}
