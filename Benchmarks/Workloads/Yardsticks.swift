import EdgeKernels

/// What one thread of this machine can do at best.
public struct Yardsticks: Sendable {
    /// Bytes read from memory per second.
    public let bytesPerSecond: Double
    /// Multiplications and additions of int8 per second.
    public let operationsPerSecond: Double

    /// Measured once in a process, in about a second; nil where that cannot be done.
    public static let measured: Yardsticks? = {
        guard let ceilings = try? Ceilings(threadCount: 1) else { return nil }
        return Yardsticks(
            bytesPerSecond: ceilings.readBytesPerSecond, operationsPerSecond: ceilings.int8OperationsPerSecond)
    }()
}
