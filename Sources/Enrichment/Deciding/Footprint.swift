import AskElephant

/// What memory a worker takes at most, so that an operator knows what limit to set: pure.
///
/// Documents are bounded by the budget and one more of the largest, for which it may be exceeded. Beside them a writer
/// holds its batch twice more, as parameters and in libpq's buffer, and one writer a document that is larger than a batch.
/// A document is taken apart and repaired in a copy of its own.
package struct Footprint: Sendable {
    /// An idle worker of many connections, and what the allocator keeps (measured).
    private static let baseBytes = 60 << 20
    /// A request that is under way: its connection, its task, buffers of the kernel's size.
    private static let requestBytes = 128 << 10

    package let peakBytes: Int

    package var peakMegabytes: Int { (peakBytes + (1 << 20) - 1) >> 20 }

    package init(_ configuration: Worker.Configuration) {
        let largest = configuration.client.maxBodyBytes
        let batches = Outbox.maxBytes * (configuration.database.writers - 1) + max(Outbox.maxBytes, largest)
        let documents = configuration.memoryBudget + 2 * largest
        peakBytes =
            Self.baseBytes + configuration.concurrency * Self.requestBytes + documents + 2 * batches
    }
}
