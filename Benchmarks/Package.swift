// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that who imports EdgeLLM never fetches a benchmark framework. What is measured lies in
// `Workloads`, a target of the outer package, because only that can see the rooms' inner interfaces.

let package = Package(
    name: "Benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "EdgeLLM", path: ".."),
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "Engine",
            dependencies: [
                .product(name: "EdgeWorkloads", package: "EdgeLLM"), .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/Engine",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
    ],
    swiftLanguageModes: [.v6]
)
