// swift-tools-version: 6.2
import CompilerPluginSupport
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
let unsafeRooms: Set<String> = [
    "EdgePlatform", "EdgeTerminal", "EdgeSocketCAN", "EdgeBLAS", "EdgeKernels", "EdgeKernelJobs", "EdgeKernelsPortable",
    "EdgeKernelsAVX2", "EdgeKernelsAVXVNNI", "EdgeKernelsAVX512", "EdgeKernelsNEON", "EdgeKernelsI8MM",
]

/// Kernels work on pointers that `EdgeKernels` has checked, so they run without overflow checks of their own.
let kernelFlags = [
    "-Ounchecked", "-Xfrontend", "-enable-builtin-module", "-disable-batch-mode", "-wmo", "-num-threads", "1",
]

/// The instruction set of a room comes from the flags of its module. Intrinsics need them; nothing may be inlined into a
/// room without them.
let instructionSets: [String: [String]] = [
    "EdgeKernelsPortable": [],
    "EdgeKernelsAVX2": ["-mavx2", "-mfma", "-mf16c", "-mbmi", "-mbmi2"],
    "EdgeKernelsAVXVNNI": ["-mavx2", "-mfma", "-mf16c", "-mbmi", "-mbmi2", "-mavxvnni"],
    "EdgeKernelsAVX512": [
        "-mavx2", "-mfma", "-mf16c", "-mbmi", "-mbmi2", "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq",
        "-mavx512vnni",
    ],
    // Nothing beyond the first Arm of 64 bits but the features that the processor is asked for.
    "EdgeKernelsNEON": ["-march=armv8-a+dotprod"],
    "EdgeKernelsI8MM": ["-march=armv8-a+dotprod+i8mm"],
]

/// The rooms for this processor's family, which `EdgeKernels` chooses from when the program starts.
#if arch(x86_64)
    let kernelRooms = ["EdgeKernelsPortable", "EdgeKernelsAVX2", "EdgeKernelsAVXVNNI", "EdgeKernelsAVX512"]
#elseif arch(arm64)
    let kernelRooms = ["EdgeKernelsPortable", "EdgeKernelsNEON", "EdgeKernelsI8MM"]
#else
    let kernelRooms = ["EdgeKernelsPortable"]
#endif

/// The one instruction that the choosing room needs itself: `xsavec`, to ask which registers the system saves.
#if arch(x86_64)
    let stateSaving: [SwiftSetting] = [.unsafeFlags(["-Xcc", "-mxsavec"])]
#else
    let stateSaving: [SwiftSetting] = []
#endif

/// Rooms compiled as the build asks, because nothing in them is called per token or per byte of a file.
let plainRooms: Set<String> = [
    "EdgeLLM", "EdgeRAG", "EdgeAgent", "EdgeCLI", "EdgeSocketCAN", "EdgeVehicle", "EdgeVoice",
]

func settings(of room: String) -> [SwiftSetting] {
    language
        + (plainRooms.contains(room) ? [] : kernelSettings(of: room) ?? optimised)
        + (room == "EdgeKernels" ? stateSaving : [])
        + (unsafeRooms.contains(room)
            ? [] : [.strictMemorySafety(), .treatWarning("StrictMemorySafety", as: .error)])
}

func kernelSettings(of room: String) -> [SwiftSetting]? {
    instructionSets[room].map { [.unsafeFlags(kernelFlags + $0.flatMap { ["-Xcc", $0] })] }
}

/// Room, and the rooms below it that it imports.
let rooms: [(name: String, imports: [String])] =
    [
        ("EdgePlatform", []),
        ("EdgeTerminal", []),
        ("EdgeMath", []),
        ("EdgeQuant", []),
        ("EdgeTokenizer", []),
        ("EdgeTemplate", []),
        ("EdgeGrammar", []),
        ("EdgeSampling", ["EdgeMath"]),
        ("EdgeGGUF", ["EdgePlatform", "EdgeQuant"]),
        ("EdgeSynthesis", ["EdgeQuant", "EdgeGGUF"]),
        ("EdgeConvert", ["EdgePlatform", "EdgeMath", "EdgeQuant", "EdgeTokenizer", "EdgeGrammar", "EdgeGGUF"]),
        ("EdgeKernelJobs", []),
        ("EdgeBLAS", []),
        ("EdgeKernels", ["EdgePlatform", "EdgeQuant", "EdgeBLAS", "EdgeKernelJobs"] + kernelRooms),
        ("EdgeCache", ["EdgePlatform", "EdgeKernels"]),
        (
            "EdgeModel",
            ["EdgePlatform", "EdgeMath", "EdgeQuant", "EdgeGGUF", "EdgeKernels", "EdgeCache", "EdgeTokenizer"]
        ),
        (
            "EdgeEngine",
            [
                "EdgePlatform", "EdgeMath", "EdgeTokenizer", "EdgeGrammar", "EdgeSampling", "EdgeKernels", "EdgeCache",
                "EdgeModel",
            ]
        ),
        (
            "EdgeLLM",
            [
                "EdgePlatform", "EdgeQuant", "EdgeTokenizer", "EdgeTemplate", "EdgeGrammar", "EdgeSampling", "EdgeGGUF",
                "EdgeKernels", "EdgeCache", "EdgeModel", "EdgeEngine", "EdgeSynthesis", "EdgeConvert",
            ]
        ),
        (
            "EdgeQuantize",
            [
                "EdgePlatform", "EdgeMath", "EdgeQuant", "EdgeTokenizer", "EdgeGrammar", "EdgeGGUF", "EdgeKernels",
                "EdgeCache", "EdgeModel", "EdgeEngine", "EdgeLLM",
            ]
        ),
        ("EdgeDocuments", []),
        ("EdgeSearch", ["EdgePlatform", "EdgeQuant", "EdgeKernels"]),
        ("EdgeRAG", ["EdgePlatform", "EdgeDocuments", "EdgeSearch", "EdgeLLM"]),
        ("EdgeAgent", ["EdgePlatform", "EdgeLLM", "EdgeRAG"]),
        ("EdgeCAN", ["EdgePlatform"]),
        ("EdgeSocketCAN", ["EdgePlatform", "EdgeCAN"]),
        ("EdgeVehicle", ["EdgeCAN", "EdgeLLM"]),
        ("EdgeVoice", ["EdgeDocuments"]),
    ] + kernelRooms.map { ($0, ["EdgeKernelJobs"]) }

/// Test target, and the rooms it tests. Every test target also has `EdgeTestSupport`.
let tests: [(name: String, rooms: [String])] = [
    ("EdgePlatformTests", ["EdgePlatform"]),
    ("EdgeMathTests", ["EdgeMath"]),
    ("EdgeQuantTests", ["EdgeQuant"]),
    ("EdgeTokenizerTests", ["EdgeTokenizer", "EdgeGGUF", "EdgeModel"]),
    ("EdgeTemplateTests", ["EdgeTemplate"]),
    ("EdgeGrammarTests", ["EdgeGrammar", "EdgeTokenizer", "EdgeModel", "EdgeGGUF"]),
    ("EdgeSamplingTests", ["EdgeSampling"]),
    ("EdgeGGUFTests", ["EdgeGGUF", "EdgePlatform", "EdgeQuant"]),
    (
        "EdgeConvertTests",
        [
            "EdgeConvert", "EdgeGGUF", "EdgeGrammar", "EdgeKernels", "EdgeCache", "EdgeModel", "EdgePlatform",
            "EdgeQuant", "EdgeTokenizer",
        ]
    ),
    ("EdgeCacheTests", ["EdgeCache", "EdgeKernels", "EdgePlatform"]),
    ("EdgeKernelsTests", ["EdgeKernels", "EdgeBLAS", "EdgePlatform", "EdgeQuant"]),
    (
        "EdgeModelTests",
        [
            "EdgeModel", "EdgeGGUF", "EdgeKernels", "EdgeCache", "EdgePlatform", "EdgeQuant", "EdgeTokenizer",
            "EdgeSynthesis",
        ]
    ),
    (
        "EdgeEngineTests",
        [
            "EdgeEngine", "EdgeCache", "EdgeModel", "EdgeGGUF", "EdgeGrammar", "EdgeKernels", "EdgeSampling",
            "EdgeTokenizer",
        ]
    ),
    (
        "EdgeLLMTests",
        [
            "EdgeLLM", "EdgePlatform", "EdgeTokenizer", "EdgeTemplate", "EdgeGrammar", "EdgeEngine", "EdgeGGUF",
            "EdgeModel", "EdgeQuant",
        ]
    ),
    (
        "EdgeQuantizeTests",
        ["EdgeQuantize", "EdgePlatform", "EdgeQuant", "EdgeGGUF", "EdgeKernels", "EdgeModel", "EdgeLLM"]
    ),
    ("EdgeDocumentsTests", ["EdgeDocuments"]),
    ("EdgeSearchTests", ["EdgeSearch", "EdgeKernels"]),
    ("EdgeRAGTests", ["EdgeRAG", "EdgeDocuments", "EdgeSearch", "EdgeLLM"]),
    ("EdgeAgentTests", ["EdgeAgent", "EdgeRAG", "EdgeLLM", "EdgeVehicle", "EdgeCAN"]),
    ("EdgeCANTests", ["EdgeCAN", "EdgeSocketCAN"]),
    ("EdgeVehicleTests", ["EdgeVehicle", "EdgeCAN", "EdgeLLM"]),
    ("EdgeVoiceTests", ["EdgeVoice"]),
    ("EdgeCLITests", ["EdgeCLI"]),
]

/// `@Generable` and `@Guide` stand behind a trait: without it swift-syntax, which takes minutes to build, is not even fetched.
let macros = "Macros"

func syntax(_ product: String) -> Target.Dependency {
    .product(name: product, package: "swift-syntax", condition: .when(traits: [macros]))
}

/// What a room needs beside other rooms.
func libraries(of room: String) -> [Target.Dependency] {
    switch room {
    case "EdgeLLM": [.target(name: "EdgeMacros", condition: .when(traits: [macros]))]
    // SQLite. It brings nothing along and takes two seconds to fetch, so it stands in the open.
    case "EdgeRAG": [.product(name: "GRDB", package: "GRDB.swift")]
    default: []
    }
}

/// Files that a room has inside.
func resources(of room: String) -> [Resource] {
    // The example's car must be there wherever the program runs.
    room == "EdgeVehicle" ? [.embedInCode("tern.dbc")] : []
}

let package = Package(
    name: "EdgeLLM",
    platforms: [.macOS(.v15), .iOS(.v18)],
    products: [
        .library(name: "EdgeLLM", targets: ["EdgeLLM"]),
        .library(name: "EdgeQuantize", targets: ["EdgeQuantize"]),
        .library(name: "EdgeRAG", targets: ["EdgeRAG"]),
        .library(name: "EdgeAgent", targets: ["EdgeAgent"]),
        .library(name: "EdgeCAN", targets: ["EdgeCAN", "EdgeSocketCAN"]),
        .library(name: "EdgeVehicle", targets: ["EdgeVehicle"]),
        .library(name: "EdgeVoice", targets: ["EdgeVoice"]),
        .executable(name: "edge-llm", targets: ["EdgeCLI"]),
        .executable(name: "edge-example", targets: ["EdgeExample"]),
        .library(name: "EdgeWorkloads", targets: ["EdgeWorkloads"]),
        .executable(name: "edge-fuzz", targets: ["EdgeFuzz"]),
        .executable(name: "edge-allocations", targets: ["EdgeAllocations"]),
        .executable(name: "edge-bits", targets: ["EdgeBits"]),
        .executable(name: "edge-kernels", targets: ["EdgeKernelsNEONCheck"]),
        .executable(name: "edge-masks", targets: ["EdgeMasks"]),
        .executable(name: "edge-guided", targets: ["EdgeGuided"]),
        .executable(name: "edge-cancel", targets: ["EdgeCancelling"]),
        .executable(name: "edge-drafts", targets: ["EdgeDrafts"]),
        .executable(name: "edge-sessions", targets: ["EdgeSessions"]),
        .executable(name: "edge-vectors", targets: ["EdgeVectors"]),
    ],
    traits: [
        .trait(name: macros, description: "The macros @Generable and @Guide; they need swift-syntax.")
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/swiftlang/swift-syntax", "602.0.0"..<"604.0.0"),
    ],
    targets: rooms.map { room in
        .target(
            name: room.name,
            dependencies: room.imports.map { .target(name: $0) } + libraries(of: room.name),
            exclude: ["README.md"],
            resources: resources(of: room.name),
            swiftSettings: settings(of: room.name))
    } + [
        .macro(
            name: "EdgeMacros",
            dependencies: [
                syntax("SwiftSyntax"), syntax("SwiftSyntaxBuilder"), syntax("SwiftSyntaxMacros"),
                syntax("SwiftDiagnostics"), syntax("SwiftCompilerPlugin"),
            ],
            exclude: ["README.md"],
            swiftSettings: language),
        .executableTarget(
            name: "EdgeCLI",
            // Beside the library's public face only its own way to a terminal.
            dependencies: [
                "EdgeLLM", "EdgeQuantize", "EdgeRAG", "EdgeAgent", "EdgeCAN", "EdgeSocketCAN", "EdgeVehicle",
                "EdgeVoice", "EdgeTerminal",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            exclude: ["README.md"],
            swiftSettings: settings(of: "EdgeCLI")),
        // To copy from: it sees nothing but the library's public face.
        .executableTarget(
            name: "EdgeExample", dependencies: ["EdgeLLM"], exclude: ["README.md"], swiftSettings: language),
        .target(
            name: "EdgeWorkloads",
            dependencies: [
                "EdgePlatform", "EdgeQuant", "EdgeTokenizer", "EdgeSampling", "EdgeGGUF", "EdgeKernels", "EdgeModel",
                "EdgeTestSupport",
            ],
            path: "Benchmarks/Workloads",
            swiftSettings: language + optimised),
        .executableTarget(
            name: "EdgeMasks",
            dependencies: ["EdgeGGUF", "EdgeGrammar", "EdgeModel", "EdgeTokenizer", "EdgeTestSupport"],
            path: "Benchmarks/Masks",
            swiftSettings: language + optimised),
        .executableTarget(
            name: "EdgeGuided",
            dependencies: [
                "EdgeEngine", "EdgeGGUF", "EdgeGrammar", "EdgeKernels", "EdgeModel", "EdgeSampling", "EdgeTokenizer",
            ],
            path: "Benchmarks/Guided",
            swiftSettings: language + optimised),
        .executableTarget(
            name: "EdgeDrafts",
            dependencies: [
                "EdgeEngine", "EdgeGGUF", "EdgeKernels", "EdgeModel", "EdgeSampling", "EdgeTokenizer",
                "EdgeTestSupport",
            ],
            path: "Benchmarks/Drafts",
            swiftSettings: language + optimised),
        .executableTarget(
            name: "EdgeCancelling", dependencies: ["EdgeLLM"], path: "Benchmarks/Cancelling", swiftSettings: language),
        .executableTarget(
            name: "EdgeVectors", dependencies: ["EdgePlatform", "EdgeSearch"], path: "Benchmarks/Vectors",
            swiftSettings: language + optimised),
        .executableTarget(
            name: "EdgeSessions",
            dependencies: [
                "EdgeEngine", "EdgeGGUF", "EdgeKernels", "EdgeModel", "EdgePlatform", "EdgeSampling", "EdgeTokenizer",
            ],
            path: "Benchmarks/Sessions",
            swiftSettings: language + optimised),
        .target(
            name: "EdgeTestSupport",
            dependencies: ["EdgePlatform", "EdgeQuant", "EdgeGGUF"],
            path: "Tests/EdgeTestSupport",
            swiftSettings: language),
        .executableTarget(
            name: "EdgeFuzz",
            dependencies: [
                "EdgeGGUF", "EdgePlatform", "EdgeQuant", "EdgeKernels", "EdgeTokenizer", "EdgeSampling", "EdgeModel",
                "EdgeTestSupport",
            ],
            path: "Tests/EdgeFuzz",
            exclude: ["README.md"],
            swiftSettings: language + optimised),
        .executableTarget(
            name: "EdgeBits",
            dependencies: [
                "EdgeGGUF", "EdgeQuant", "EdgePlatform", "EdgeKernels", "EdgeCache", "EdgeModel", "EdgeTestSupport",
            ],
            path: "Tests/EdgeBits",
            exclude: ["README.md", "check"],
            swiftSettings: language + optimised),
        .executableTarget(
            name: "EdgeKernelsNEONCheck",
            dependencies: ["EdgeKernelJobs"] + kernelRooms.map { .target(name: $0) },
            path: "Tests/EdgeKernelsNEON",
            exclude: ["README.md", "check"],
            swiftSettings: language + optimised),
        .executableTarget(
            name: "EdgeAllocations",
            dependencies: ["EdgeGGUF", "EdgePlatform", "EdgeKernels", "EdgeCache", "EdgeSampling", "EdgeModel"],
            path: "Tests/EdgeAllocations",
            exclude: ["README.md"],
            swiftSettings: language + optimised,
            linkerSettings: [
                .unsafeFlags(
                    ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"].flatMap {
                        ["-Xlinker", "--defsym=\($0)=edge_counted_\($0)"]
                    } + ["-Xlinker", "--export-dynamic"], .when(platforms: [.linux]))
            ]),
    ]
        + [
            // Without `EdgeMacros` itself: with it, all tests would be built as a part of the compiler is.
            .testTarget(
                name: "EdgeMacrosTests", dependencies: ["EdgeLLM", "EdgeTestSupport"], swiftSettings: language),
            // The expansions in a program whose declarations are the main actor's unless they say otherwise.
            .testTarget(
                name: "EdgeMacrosMainActorTests",
                dependencies: ["EdgeLLM"],
                swiftSettings: language + [.defaultIsolation(MainActor.self)]),
        ]
        + tests.map { test in
            .testTarget(
                name: test.name,
                dependencies: test.rooms.map { .target(name: $0) } + ["EdgeTestSupport"],
                swiftSettings: language)
        },
    swiftLanguageModes: [.v6]
)
