import EdgeGGUF
import EdgeModel
import EdgePlatform
import EdgeSampling
import Foundation

let usage = """
    usage: edge-fuzz [--iterations N] [--seconds N] [--seed S] [--only K [--save FILE]]
                     [--limit-seconds N] [--limit-megabytes N] [FILE.gguf ...]
    """

/// The command line.
struct Options {
    var iterations = Int.max
    var seconds = Double.infinity
    var seed: UInt64 = 1
    var only: Int?
    var save: String?
    var secondsLimit = 5.0
    var megabytesLimit = 512
    var files: [String] = []

    init(_ arguments: [String]) {
        func stop() -> Never {
            FileHandle.standardError.write(Data((usage + "\n").utf8))
            exit(64)
        }
        var rest = arguments[...]
        func value<T>(_ convert: (String) -> T?) -> T {
            guard let text = rest.popFirst(), let value = convert(text) else { stop() }
            return value
        }
        while let argument = rest.popFirst() {
            switch argument {
            case "--iterations": iterations = value { Int($0) }
            case "--seconds": seconds = value { Double($0) }
            case "--seed": seed = value { UInt64($0) }
            case "--only": only = value { Int($0) }
            case "--save": save = value { $0 }
            case "--limit-seconds": secondsLimit = value { Double($0) }
            case "--limit-megabytes": megabytesLimit = value { Int($0) }
            case _ where argument.hasPrefix("-"): stop()
            default: files.append(argument)
            }
        }
        if iterations == .max, seconds == .infinity { seconds = 10 }
    }
}

/// What came of the files so far.
struct Tally {
    var accepted = 0
    /// Keeps the work of the stages from being dropped.
    var sum = 0
    /// By error code of the reader, then by stage.
    var refusals: [String: Int] = [:]
}

/// What an error is called in the tally.
func kind(of error: any Error) -> String {
    switch error {
    case let error as ModelError: error.code.rawValue
    case let error as SamplingError: error.code == .brokenLogit ? "broken logit" : error.message
    default: "\(error)"
    }
}

/// Loads one file as a program would. A `Contradiction` is the only error that gets out.
func load(_ bytes: [UInt8], _ tally: inout Tally) throws {
    let file: GGUFFile
    do {
        file = try GGUFFile(bytes: ByteView(bytes), path: "fuzz.gguf")
    } catch {
        tally.sum &+= error.description.utf8.count
        tally.refusals[error.code.rawValue, default: 0] += 1
        return
    }
    for stage in stages {
        do {
            tally.sum &+= try stage.run(file)
        } catch let error as Contradiction {
            throw error
        } catch {
            tally.sum &+= "\(error)".utf8.count
            tally.refusals["in stage \(stage.name): \(kind(of: error))", default: 0] += 1
            return
        }
    }
    tally.accepted += 1
}

func run(_ options: Options) throws -> Bool {
    var starts = try StartFiles.make()
    for path in options.files { starts.append([UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))) }
    var tally = Tally()
    // They parse, unless damaged ones were given; a crash here has no number.
    for start in starts { try load(start, &tally) }
    tally = Tally()
    let mutator = Mutator(starts: starts.map { Mutator.Start($0) })
    let watchdog = Watchdog(
        seed: options.seed, secondsLimit: options.secondsLimit, byteLimit: options.megabytesLimit << 20)

    if let only = options.only {
        let bytes = mutator.mutated(seed: options.seed, iteration: only)
        if let save = options.save { try Data(bytes).write(to: URL(fileURLWithPath: save)) }
        watchdog.begin(only)
        watchdog.start()
        try load(bytes, &tally)
        print("\(bytes.count) bytes: \(tally.accepted == 1 ? "accepted" : tally.refusals.keys.joined())")
        return true
    }

    let statePath = NSTemporaryDirectory() + "edge-fuzz-\(ProcessInfo.processInfo.processIdentifier).state"
    guard FileManager.default.createFile(atPath: statePath, contents: nil),
        let state = FileHandle(forWritingAtPath: statePath)
    else { throw CocoaError(.fileWriteUnknown) }
    print("\(starts.count) start files, seed \(options.seed), iteration under way in \(statePath)")
    let before = ProcessMemory.peakByteCount ?? 0
    var largest = 0
    var iteration = 0
    var position = Data(count: 24)
    let clock = ContinuousClock()
    let begin = clock.now
    func elapsed() -> Double {
        let parts = begin.duration(to: clock.now).components
        return Double(parts.seconds) + Double(parts.attoseconds) * 1e-18
    }
    watchdog.start()
    while iteration < options.iterations, elapsed() < options.seconds {
        let text = "--only \(iteration)"
        position.replaceSubrange(0..<text.utf8.count, with: text.utf8)
        try state.seek(toOffset: 0)
        try state.write(contentsOf: position)
        watchdog.begin(iteration)
        let bytes = mutator.mutated(seed: options.seed, iteration: iteration)
        largest = max(largest, bytes.count)
        do {
            try load(bytes, &tally)
        } catch let error as Contradiction {
            print("FAILED: \(error.message); repeat with --seed \(options.seed) --only \(iteration)")
            return false
        }
        iteration += 1
    }
    let seconds = elapsed()
    let peak = ProcessMemory.peakByteCount ?? 0
    print("\(iteration) files in \(Int(seconds)) s, \(Int(Double(iteration) / max(seconds, 1e-9))) a second")
    print("accepted \(tally.accepted)")
    for (name, count) in tally.refusals.sorted(by: { $0.value > $1.value }) { print("refused \(count): \(name)") }
    print(
        "largest file \(largest) bytes; peak memory \(peak >> 10) KiB, \((peak - before) >> 10) KiB more than at the start"
    )
    try? FileManager.default.removeItem(atPath: statePath)
    return true
}

do {
    exit(try run(Options(Array(CommandLine.arguments.dropFirst()))) ? 0 : 1)
} catch {
    print("FAILED: \(error)")
    exit(1)
}
