import AskElephant

/// What memory a worker takes at most, so that an operator knows what limit to set: pure.
///
/// Documents are bounded by the budget; beside them a writer holds its batch twice more, as parameters and in libpq's
/// buffer, and both of these may have grown to twice what they hold. A document is repaired in a copy of its own.
package struct Footprint: Sendable {
    /// An idle worker of many connections, and what the allocator keeps (measured).
    private static let baseBytes = 60 << 20
    /// A request that is under way: its connection, its task, buffers of the kernel's size.
    private static let requestBytes = 128 << 10

    package let peakBytes: Int

    package var peakMegabytes: Int { (peakBytes + (1 << 20) - 1) >> 20 }

    package init(_ configuration: Worker.Configuration) {
        let batch = max(Outbox.maxBytes, min(configuration.client.maxBodyBytes, configuration.memoryBudget))
        let copies = 2 * min(batch * configuration.database.writers, configuration.memoryBudget)
        peakBytes =
            Self.baseBytes + configuration.concurrency * Self.requestBytes + configuration.memoryBudget + copies
    }
}
