import Benchmark
import EdgeWorkloads
import Synchronization

let benchmarks: @Sendable () -> Void = {
    for workload in Workload.all() { add(workload) }
}

/// Millions a second; as wholes they have figures enough, and thousands of them are GB/s and GOP/s.
private let megabytes = BenchmarkMetric.custom("MB/s", polarity: .prefersLarger, useScalingFactor: false)
private let megaoperations = BenchmarkMetric.custom("MOP/s", polarity: .prefersLarger, useScalingFactor: false)
private let ofReading = BenchmarkMetric.custom(
    "% of this machine's reading", polarity: .prefersLarger, useScalingFactor: false)
private let ofPeak = BenchmarkMetric.custom(
    "% of this machine's int8 peak", polarity: .prefersLarger, useScalingFactor: false)
private let timesReference = BenchmarkMetric.custom(
    "times the plain loop", polarity: .prefersLarger, useScalingFactor: false)

private func add(_ workload: Workload) {
    // What it needs lives no longer than its own runs.
    let prepared = Shared<(Workload.Prepared, referenceSeconds: Double?)>()
    var metrics: [BenchmarkMetric] = [.wallClock]
    let speed = workload.amount.map { amount in
        switch amount {
        case .bytes(let count): (amount: Double(count), metric: megabytes, share: ofReading, best: Yardsticks.bytes)
        case .operations(let count):
            (amount: Double(count), metric: megaoperations, share: ofPeak, best: Yardsticks.operations)
        }
    }
    if let speed { metrics += workload.hasYardstick ? [speed.metric, speed.share, timesReference] : [speed.metric] }
    var configuration = Benchmark.Configuration(metrics: metrics, maxDuration: .seconds(2), maxIterations: 10_000)
    configuration.units = Dictionary(uniqueKeysWithValues: metrics.dropFirst().map { ($0, .count) })
    Benchmark(
        workload.name, configuration: configuration,
        closure: { benchmark in
            guard let (work, referenceSeconds) = prepared.value else { return }
            for _ in benchmark.scaledIterations {
                let seconds = seconds { blackHole(work.run()) }
                guard let speed else { continue }
                let perSecond = speed.amount / seconds
                benchmark.measurement(speed.metric, Int(perSecond / 1e6))
                guard workload.hasYardstick else { continue }
                if let best = speed.best() {
                    benchmark.measurement(speed.share, Int((100 * perSecond / best).rounded()))
                }
                if let referenceSeconds {
                    benchmark.measurement(timesReference, Int((referenceSeconds / seconds).rounded()))
                }
            }
        },
        setup: {
            let work = try workload.prepare()
            let reference = work.reference.map { reference in
                (0..<5).map { _ in seconds { blackHole(reference.run()) } / reference.share }.min() ?? .infinity
            }
            prepared.value = (work, reference)
        },
        teardown: { prepared.value = nil })
}

private func seconds(_ body: () -> Void) -> Double {
    let time = ContinuousClock().measure(body)
    return max(time / .seconds(1), 1e-9)
}

/// What setup leaves for the runs.
private final class Shared<Value: Sendable>: Sendable {
    private let held = Mutex<Value?>(nil)
    var value: Value? {
        get { held.withLock { $0 } }
        set { held.withLock { $0 = newValue } }
    }
}

extension Yardsticks {
    fileprivate static func bytes() -> Double? { measured?.bytesPerSecond }
    fileprivate static func operations() -> Double? { measured?.operationsPerSecond }
}
