import Benchmark
import EdgeWorkloads

let benchmarks: @Sendable () -> Void = {
    for workload in Workload.all() {
        // Throughput counts runs; the name says how much one run does.
        Benchmark(
            workload.name,
            configuration: .init(
                metrics: [.wallClock, .cpuTotal, .throughput], maxDuration: .seconds(2), maxIterations: 10_000)
        ) { benchmark in
            for _ in benchmark.scaledIterations { blackHole(workload.run()) }
        }
    }
}
