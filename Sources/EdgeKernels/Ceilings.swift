internal import EdgeKernelJobs
package import EdgePlatform

/// What this machine can do at best with a number of threads: the yardsticks for decoding and for prefill.
package struct Ceilings: Sendable {
    /// Bytes read from memory per second, by loads that do nothing else.
    package let readBytesPerSecond: Double
    /// Multiplications and additions of int8 per second, by the widest instructions of the chosen set, from registers.
    package let int8OperationsPerSecond: Double

    /// Measures, in about a second.
    ///
    /// - Throws: `PlatformError` when there is no memory or no thread.
    package init(threadCount: Int) throws(PlatformError) {
        let team = try ThreadTeam(threadCount: threadCount)
        let reading = try Reading()
        readBytesPerSecond = Double(reading.byteCount) / Self.best { team.run(reading) }
        let multiplying = Multiplying(workerCount: team.threadCount)
        int8OperationsPerSecond = multiplying.operations / Self.best { team.run(multiplying) }
    }

    /// The shortest of several runs: what the machine does when nobody disturbs it.
    private static func best(_ body: () -> Void) -> Double {
        var shortest = Double.infinity
        for _ in 0..<7 {
            let start = Clock.nanoseconds
            body()
            shortest = min(shortest, Clock.seconds(from: start))
        }
        return max(shortest, 1e-9)
    }
}

/// Reads memory far larger than the caches.
private final class Reading: TeamJob {
    private let buffer: AlignedBuffer<UInt64>
    private let piece = 1 << 17  // 1 MiB of words
    var byteCount: Int { buffer.byteCount }

    init() throws(PlatformError) {
        buffer = try AlignedBuffer(count: 1 << 25)
        // Touched, so that there are pages to read.
        for index in stride(from: 0, to: buffer.count, by: 64) { buffer.base[index] = UInt64(index) }
    }

    func run(_ worker: TeamWorker) {
        let pieces = buffer.count / piece
        var sum: UInt64 = 0
        while true {
            let ticket = worker.nextTicket()
            guard ticket < pieces else { break }
            sum |= Kernels.chosen.functions.read(UnsafeRawPointer(buffer.base + ticket &* piece), piece &* 8)
        }
        // Never the case, but the compiler does not know.
        if sum == 1 { buffer.base[0] = sum }
    }
}

/// Multiplies in registers.
private final class Multiplying: TeamJob {
    private let perWorker: Double
    let operations: Double
    private let iterations = 1 << 22

    init(workerCount: Int) {
        perWorker = Kernels.chosen.functions.peak(0)
        operations = perWorker * Double(iterations) * Double(workerCount)
    }

    func run(_ worker: TeamWorker) { _ = Kernels.chosen.functions.peak(iterations) }
}
