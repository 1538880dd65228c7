import ArgumentParser
import EdgeLLM
import Foundation

/// `edge-llm bench`: tokens per second, and how much of the machine they use.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure tokens per second, as llama-bench does.",
        discussion: """
            ppN is a prompt of N tokens, tgN are N tokens generated one by one, @ dD after a context of D tokens. Beside a prompt's \
            speed stands its share of this machine's int8 peak, beside generation's its share of the read bandwidth; both \
            ceilings are measured first. Speeds are medians, with the lowest and the highest.
            """)

    @Option(name: [.customShort("m"), .long], help: "The GGUF file; of a split model, any part.")
    var model: String?

    @Option(help: "Random weights instead, such as llama-3.2-1b:Q4_K_M; see 'edge-llm synth --help'.")
    var synthetic: SyntheticModel?

    @Option(
        help:
            "Another GGUF file to measure in turn with the first, repetition by repetition; 'beside' is what the first does of the test's work in a second over what this one does: the median of the pairs."
    )
    var beside: String?

    @OptionGroup var adapters: AdapterOptions

    @Option(name: [.customShort("p"), .customLong("n-prompt")], help: "Tokens of the prompt; 0 measures none.")
    var promptTokens: Counts = [512]

    @Option(name: [.customShort("n"), .customLong("n-gen")], help: "Tokens to generate; 0 measures none.")
    var generatedTokens: Counts = [128]

    @Option(name: [.customShort("d"), .customLong("n-depth")], help: "Tokens of context before.")
    var depths: Counts = [0]

    @Option(name: [.customShort("t"), .long], help: "Threads that compute. (default: the physical cores)")
    var threads: Counts?

    @Option(name: [.customShort("b"), .customLong("batch-size")], help: "Tokens computed together at most.")
    var batchSize = 512

    @Option(name: [.customShort("r"), .long], help: "Repetitions.")
    var repetitions = 5

    @Option(name: .customLong("cache-type"), help: "How keys and values are stored.")
    var cacheType: GGUFLanguageModel.CachePrecision = .f16

    @Flag(help: "Multiply float weights by the system's BLAS; results then differ between machines.")
    var blas = false

    @Flag(help: "Read the weights into large pages: slower to load, faster to generate.")
    var largePages = false

    @Option(
        help:
            "Bytes of weights in memory at most, such as 900M or 2G; the others are read from the file for each token.")
    var weightMemory: ByteCount?

    @OptionGroup var spill: SpillOptions

    @Option(
        help:
            "on, or off to read what is not in memory only when its turn comes, or both in turn, repetition by repetition, with 'beside' as what reading ahead brings; 'waited' is the share of the time in which the threads waited for it."
    )
    var prefetch: Prefetch = .on

    enum Prefetch: String, ExpressibleByArgument, CaseIterable { case on, off, both }

    @Option(name: [.customShort("o"), .long], help: "table, json, csv or md.")
    var output: Format = .table

    enum Format: String, ExpressibleByArgument, CaseIterable { case table, json, csv, md }

    func validate() throws {
        if (model == nil) == (synthetic == nil) { throw ValidationError("Give --model or --synthetic.") }
        if beside != nil, prefetch == .both { throw ValidationError("Give --beside or --prefetch both.") }
        if !(1...1000).contains(repetitions) { throw ValidationError("--repetitions must be 1 to 1000.") }
        if !(1...1 << 16).contains(batchSize) { throw ValidationError("--batch-size must be 1 to 65536.") }
        if let threads, !threads.values.allSatisfy((1...256).contains) {
            throw ValidationError("--threads must be 1 to 256.")
        }
    }

    func run() throws {
        guard let synthetic else { return try measure(model ?? "", name: nil) }
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("edge-bench-\(UUID()).gguf").path
        Terminal.note("edge-llm: writing \(synthetic)")
        try synthetic.write(to: URL(fileURLWithPath: path))
        // Mapped, it needs no name any more: whatever ends the command, nothing stays behind.
        defer { try? FileManager.default.removeItem(atPath: path) }
        try measure(path, name: synthetic.description)
    }

    /// A model that is measured.
    private struct Subject {
        let name: String
        let model: MeasuredModel
        let adapters: [LoRAAdapter]
        let readsAhead: Bool
        let loadSeconds: Double
    }

    private func load(_ path: String, name: String?, readsAhead: Bool) throws -> Subject {
        let loading = ContinuousClock.now
        let model = try MeasuredModel(
            contentsOf: URL(fileURLWithPath: path), usesLargePages: largePages, weightMemory: weightMemory?.value,
            readsAhead: readsAhead)
        let name = name ?? (path as NSString).lastPathComponent
        return Subject(
            name: prefetch == .both ? "\(name), prefetch \(readsAhead ? "on" : "off")" : name, model: model,
            adapters: try adapters.load(for: model), readsAhead: readsAhead,
            loadSeconds: Terminal.seconds(since: loading))
    }

    private func measure(_ path: String, name: String?) throws {
        var subjects = [try load(path, name: name, readsAhead: prefetch != .off)]
        if prefetch == .both { subjects.append(try load(path, name: name, readsAhead: false)) }
        if let beside { subjects.append(try load(beside, name: nil, readsAhead: prefetch != .off)) }
        let contextSize = try largestContext()
        let tests =
            promptTokens.values.filter { $0 > 0 }.map(SpeedMeasurement.Test.prompt)
            + generatedTokens.values.filter { $0 > 0 }.map(SpeedMeasurement.Test.generation)
        var measurements: [Measurement] = []
        for threadCount in threads?.values.map(Optional.some) ?? [nil] {
            let started = try subjects.map { subject in
                let starting = ContinuousClock.now
                let speed = try SpeedMeasurement(
                    of: subject.model,
                    options: .init(
                        contextSize: contextSize, threadCount: threadCount, cachePrecision: cacheType, usesBLAS: blas,
                        cacheMemory: spill.cacheMemory?.value, spillFolder: spill.folder),
                    batchSize: batchSize, adapters: subject.adapters, readsAhead: subject.readsAhead)
                _ = try speed.seconds(for: .prompt(1))
                return (speed: speed, seconds: subject.loadSeconds + Terminal.seconds(since: starting))
            }
            for depth in depths.values {
                for test in tests {
                    // Once before, so that pages and caches are as they will be.
                    for (speed, _) in started { _ = try speed.seconds(for: test, depth: depth) }
                    var seconds = started.map { _ in [Double]() }
                    var waited = seconds
                    for _ in 0..<repetitions {
                        for (index, (speed, _)) in started.enumerated() {
                            seconds[index].append(try speed.seconds(for: test, depth: depth))
                            waited[index].append(speed.waitedSeconds)
                        }
                    }
                    for (index, (speed, firstToken)) in started.enumerated() {
                        measurements.append(
                            Measurement(
                                speed, test, depth: depth, seconds: seconds[index], waited: waited[index],
                                subject: index, firstTokenSeconds: firstToken))
                    }
                }
            }
        }
        // The ceilings last: they need memory of their own, which is not the model's.
        var ceilings: [Int: MachineCeilings] = [:]
        let rows = try measurements.enumerated().map { index, measurement in
            let threadCount = measurement.threadCount
            let ceiling = try ceilings[threadCount] ?? MachineCeilings(threadCount: threadCount)
            ceilings[threadCount] = ceiling
            let other = measurement.subject == 0 && subjects.count > 1 ? measurements[index + 1] : nil
            let subject = subjects[measurement.subject]
            return Row(
                name: subject.name, measurement, ceiling, loadSeconds: subject.loadSeconds,
                beside: other.map(measurement.ratios))
        }
        Terminal.write(try text(rows))
    }

    private func largestContext() throws -> Int {
        let longest = max(1, (promptTokens.values + generatedTokens.values).max() ?? 1)
        let (size, overflow) = longest.addingReportingOverflow(depths.values.max() ?? 0)
        guard !overflow, size <= 1 << 24 else { throw ValidationError("A context of more than \(1 << 24) tokens.") }
        return size
    }

    /// What was seen of one test.
    struct Measurement {
        let threadCount: Int
        let test: SpeedMeasurement.Test
        let depth: Int
        let seconds: [Double]
        /// Of each, those in which the threads waited for a file.
        let waited: [Double]
        /// Which of the models measured in turn.
        let subject: Int
        /// Operations of a prompt's token, or bytes that a generated one reads.
        let work: Int
        let firstTokenSeconds: Double
        let peakMemoryBytes: Int?

        init(
            _ speed: SpeedMeasurement, _ test: SpeedMeasurement.Test, depth: Int, seconds: [Double], waited: [Double],
            subject: Int, firstTokenSeconds: Double
        ) {
            self.subject = subject
            threadCount = speed.threadCount
            self.test = test
            self.depth = depth
            self.seconds = seconds
            self.waited = waited
            work = speed.workPerToken(of: test, depth: depth)
            self.firstTokenSeconds = firstTokenSeconds
            peakMemoryBytes = ProcessMemory.peakByteCount
        }

        /// The work done in a second over the other's, of each pair of repetitions, in order of size.
        func ratios(to other: Measurement) -> [Double] {
            let works = Double(work) / Double(max(1, other.work))
            return zip(seconds, other.seconds).map { works * $1 / max($0, 1e-9) }.sorted()
        }
    }

    /// A measurement beside what the machine could do.
    struct Row: Encodable {
        let model: String
        let isa: String
        let threads: Int
        let test: String
        let depth: Int
        let tokensPerSecond: Double
        let lowest: Double
        let highest: Double
        let repetitions: Int
        /// What the memory or the arithmetic did per second, and the machine's own ceiling for it.
        let bound: String
        let rate: Double
        let ceiling: Double
        let share: Double
        let loadSeconds: Double
        let firstTokenSeconds: Double
        let peakMemoryBytes: Int?
        /// Share of the time in which the threads waited for what was read from a file.
        let waitedShare: Double
        /// `Measurement.ratios` to what was measured in turn: the median, and the quartiles of the pairs.
        let beside: Double?
        let besideQuartiles: [Double]?

        init(
            name: String, _ measurement: Measurement, _ ceilings: MachineCeilings, loadSeconds: Double,
            beside ratios: [Double]?
        ) {
            beside = ratios.map(median)
            besideQuartiles = ratios.map { [$0[$0.count / 4], $0[$0.count - 1 - $0.count / 4]] }
            let test = measurement.test
            model = name
            isa = InstructionSet.current.name
            threads = measurement.threadCount
            self.test = test.name
            depth = measurement.depth
            let speeds = measurement.seconds.map { Double(test.tokenCount) / max($0, 1e-9) }.sorted()
            tokensPerSecond = median(speeds)
            lowest = speeds.first ?? 0
            highest = speeds.last ?? 0
            repetitions = speeds.count
            rate = tokensPerSecond * Double(measurement.work)
            switch test {
            case .prompt:
                bound = "int8"
                ceiling = ceilings.int8OperationsPerSecond
            case .generation:
                bound = "read"
                ceiling = ceilings.readBytesPerSecond
            }
            share = ceiling > 0 ? rate / ceiling : 0
            self.loadSeconds = loadSeconds
            firstTokenSeconds = measurement.firstTokenSeconds
            peakMemoryBytes = measurement.peakMemoryBytes
            waitedShare = measurement.waited.reduce(0, +) / max(1e-9, measurement.seconds.reduce(0, +))
        }

        var cells: [String] {
            [
                model, isa, String(threads), depth > 0 ? "\(test) @ d\(depth)" : test,
                String(format: "%.2f", tokensPerSecond), String(format: "%.2f..%.2f", lowest, highest),
                bound == "int8"
                    ? String(format: "%.0f of %.0f GOP/s", rate / 1e9, ceiling / 1e9)
                    : String(format: "%.1f of %.1f GB/s", rate / 1e9, ceiling / 1e9),
                String(format: "%.0f %%", 100 * share), String(format: "%.0f", 1000 * loadSeconds),
                String(format: "%.0f", 1000 * firstTokenSeconds), peakMemoryBytes.map(Terminal.size) ?? "",
                String(format: "%.0f %%", 100 * waitedShare),
                besideText,
            ]
        }

        private var besideText: String {
            guard let beside, let quartiles = besideQuartiles, let low = quartiles.first, let high = quartiles.last
            else { return "" }
            return String(format: "%.2f (%.2f..%.2f)", beside, low, high)
        }

        static let header = [
            "model", "isa", "threads", "test", "tok/s", "range", "rate", "share", "load ms", "first token ms",
            "peak memory", "waited", "beside",
        ]
    }

    private func text(_ rows: [Row]) throws -> String {
        // Without another model there is nothing in the last column, nor in the one before where all is in memory.
        let lines = ([Row.header] + rows.map(\.cells)).map { cells in
            cells.enumerated().filter { index, _ in
                switch cells.count - index {
                case 1: beside != nil || prefetch == .both
                case 2: weightMemory != nil || spill.cacheMemory != nil
                default: true
                }
            }.map(\.element)
        }
        switch output {
        case .json: return try Terminal.json(rows, pretty: true)
        case .csv:
            return lines.map { $0.map { "\"\($0)\"" }.joined(separator: ",") + "\n" }.joined()
        case .md:
            let rule = (lines.first ?? []).map { _ in "---" }
            return (lines.prefix(1) + [rule] + lines.dropFirst()).map { "| " + $0.joined(separator: " | ") + " |\n" }
                .joined()
        case .table: return Terminal.columns(lines)
        }
    }
}

private func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    guard !sorted.isEmpty else { return 0 }
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// Whole numbers with commas between them.
struct Counts: ExpressibleByArgument, ExpressibleByArrayLiteral {
    let values: [Int]

    init(arrayLiteral elements: Int...) { values = elements }

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        let numbers = parts.compactMap(\.self)
        guard !parts.isEmpty, numbers.count == parts.count, numbers.allSatisfy({ (0...1 << 24).contains($0) })
        else { return nil }
        values = numbers
    }

    var defaultValueDescription: String { values.map(String.init).joined(separator: ",") }
}
