// swift-tools-version: 6.2
import PackageDescription

// One folder of `Sources` is one room: one module with one job. The table at the bottom names each room and the rooms
// it may import; the arrows run one way, from the file format up to the command.

/// Language features that every room compiles with.
let language: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// Rooms on the path of loading or of a token stay optimised in a debug build of whoever imports the package: nobody
/// should meet an engine a hundred times slower because they pressed "run". Whole-module compilation needs
/// `-num-threads` beside it, or the index store of a debug build refuses the output names.
let optimised: [SwiftSetting] = [.unsafeFlags(["-O", "-disable-batch-mode", "-wmo", "-num-threads", "1"])]

/// The rooms that may touch pointers. Everywhere else an unmarked unsafe construct is a compile error.
let unsafeRooms: Set<String> = ["EdgePlatform", "EdgeKernels"]

/// Rooms compiled as the build asks, because nothing in them is called per token or per byte of a file.
let plainRooms: Set<String> = ["EdgeLLM", "EdgeCLI"]

func settings(of room: String) -> [SwiftSetting] {
    language
        + (plainRooms.contains(room) ? [] : optimised)
        + (unsafeRooms.contains(room)
            ? [] : [.strictMemorySafety(), .treatWarning("StrictMemorySafety", as: .error)])
}

/// Room, and the rooms below it that it imports.
let rooms: [(name: String, imports: [String])] = [
    ("EdgePlatform", []),
    ("EdgeMath", []),
    ("EdgeQuant", []),
    ("EdgeTokenizer", []),
    ("EdgeSampling", ["EdgeMath"]),
    ("EdgeGGUF", ["EdgePlatform", "EdgeQuant"]),
    ("EdgeKernels", ["EdgePlatform", "EdgeQuant"]),
    ("EdgeCache", ["EdgePlatform", "EdgeKernels"]),
    ("EdgeModel", ["EdgePlatform", "EdgeMath", "EdgeQuant", "EdgeGGUF", "EdgeKernels", "EdgeCache", "EdgeTokenizer"]),
]

/// Test target, and the rooms it tests. Every test target also has `EdgeTestSupport`.
let tests: [(name: String, rooms: [String])] = [
    ("EdgePlatformTests", ["EdgePlatform"]),
    ("EdgeMathTests", ["EdgeMath"]),
    ("EdgeQuantTests", ["EdgeQuant"]),
    ("EdgeTokenizerTests", ["EdgeTokenizer", "EdgeGGUF", "EdgeModel"]),
    ("EdgeSamplingTests", ["EdgeSampling"]),
    ("EdgeGGUFTests", ["EdgeGGUF", "EdgePlatform", "EdgeQuant"]),
    ("EdgeKernelsTests", ["EdgeKernels", "EdgePlatform", "EdgeQuant"]),
    ("EdgeModelTests", ["EdgeModel", "EdgeGGUF", "EdgeKernels", "EdgeCache", "EdgePlatform"]),
]

let package = Package(
    name: "EdgeLLM",
    platforms: [.macOS(.v15), .iOS(.v18)],
    products: [
        .executable(name: "edge-llm", targets: ["EdgeCLI"]),
        .executable(name: "edge-fuzz", targets: ["EdgeFuzz"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
    ],
    targets: rooms.map { room in
        .target(
            name: room.name,
            dependencies: room.imports.map { .target(name: $0) },
            exclude: room.name == "EdgeModel"
                ? ["Model+Tokenizer.swift", "README.md"] : ["README.md"],
            swiftSettings: settings(of: room.name))
    } + [
        .executableTarget(
            name: "EdgeCLI",
            dependencies: [
                "EdgeGGUF", "EdgeQuant",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            // The commands that generate wait until tokenizers and samplers are connected; see the README.
            exclude: [
                "README.md", "ModelOptions.swift", "SamplerOptions.swift", "RunCommand.swift", "TokenizeCommand.swift",
                "PerplexityCommand.swift", "Interruption.swift",
            ],
            swiftSettings: settings(of: "EdgeCLI")),
        .target(
            name: "EdgeTestSupport",
            dependencies: ["EdgePlatform"],
            path: "Tests/EdgeTestSupport",
            swiftSettings: language),
        .executableTarget(
            name: "EdgeFuzz",
            dependencies: ["EdgeGGUF", "EdgePlatform", "EdgeQuant", "EdgeTestSupport"],
            path: "Tests/EdgeFuzz",
            exclude: ["README.md"],
            swiftSettings: language + optimised),
    ]
        + tests.map { test in
            .testTarget(
                name: test.name,
                dependencies: test.rooms.map { .target(name: $0) } + ["EdgeTestSupport"],
                swiftSettings: language)
        },
    swiftLanguageModes: [.v6]
)
