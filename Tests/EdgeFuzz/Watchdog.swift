import EdgePlatform
import Foundation
import Synchronization

/// Ends the process when one iteration takes too long or the process grows too large, naming the iteration.
final class Watchdog: Sendable {
    private let iteration = Atomic<Int>(-1)
    private let started = Atomic<UInt64>(0)
    private let secondsLimit: Double
    private let byteLimit: Int
    private let seed: UInt64

    init(seed: UInt64, secondsLimit: Double, byteLimit: Int) {
        self.seed = seed
        self.secondsLimit = secondsLimit
        self.byteLimit = byteLimit
    }

    func start() {
        Thread.detachNewThread { [self] in
            while true {
                Thread.sleep(forTimeInterval: 0.05)
                check()
            }
        }
    }

    /// Tells the watchdog that an iteration begins.
    func begin(_ number: Int) {
        started.store(DispatchTime.now().uptimeNanoseconds, ordering: .relaxed)
        iteration.store(number, ordering: .relaxed)
    }

    private func check() {
        let number = iteration.load(ordering: .relaxed)
        let start = started.load(ordering: .relaxed)
        let now = DispatchTime.now().uptimeNanoseconds
        if number >= 0, now > start, Double(now - start) / 1e9 > secondsLimit {
            fail("no answer within \(secondsLimit) s", number)
        }
        if let peak = ProcessMemory.peakByteCount, peak > byteLimit {
            fail("memory grew to \(peak >> 20) MiB, more than \(byteLimit >> 20) MiB", number)
        }
    }

    private func fail(_ message: String, _ number: Int) -> Never {
        print("FAILED: \(message); repeat with --seed \(seed) --only \(number)")
        exit(1)
    }
}
