import ArgumentParser
import EdgeLLM
import Foundation

/// `edge-llm plan`: what memory a model takes.
struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Say what memory a model takes with some settings, before it is loaded.",
        discussion: """
            Computed from the file's header. With --measure the model is run with a full context, and the plan stands beside what \
            the process took. Exits with 65 when the model does not fit --memory-limit.
            """)

    @Option(name: [.customShort("m"), .long], help: "The GGUF file; of a split model, any part.")
    var model: String

    @Option(
        name: [.customShort("c"), .customLong("context"), .customLong("ctx-size")],
        help: "Tokens of prompt and answer together. (default: the model's own, at most 8192)")
    var contextSize: Int?

    @Option(name: .customLong("cache-type"), help: "How keys and values are stored.")
    var cacheType: GGUFLanguageModel.CachePrecision = .f16

    @Option(name: [.customShort("t"), .long], help: "Threads that compute. (default: the physical cores)")
    var threads: Int?

    @Option(name: [.customShort("b"), .customLong("batch-size")], help: "Tokens computed together at most.")
    var batchSize = 512

    @Option(help: "Bytes that there may be, such as 900M or 2G: says what would fit.")
    var memoryLimit: ByteCount?

    @Option(help: "Bytes of weights in memory at most; the others are read from the file for each token.")
    var weightMemory: ByteCount?

    @OptionGroup var spill: SpillOptions

    @Flag(help: "Run the model with a full context, and say what memory that took.")
    var measure = false

    @Flag(help: "Print one JSON object.")
    var json = false

    private struct Report: Encodable {
        let plan: MemoryPlan
        let total: Int
        var memoryLimit: Int?
        var alternatives: [MemoryPlan]?
        var measured: Int?
    }

    func run() throws {
        let options = GGUFLanguageModel.LoadOptions(
            contextSize: contextSize, threadCount: threads, cachePrecision: cacheType, batchSize: batchSize,
            memoryLimit: memoryLimit?.value, weightMemory: weightMemory?.value,
            cacheMemory: spill.cacheMemory?.value, spillFolder: spill.folder)
        let file = URL(fileURLWithPath: model)
        let plan = try MemoryPlan(contentsOf: file, options: options)
        var report = Report(plan: plan, total: plan.total, memoryLimit: memoryLimit?.value)
        var shortage: ModelLoadingError?
        do {
            try MemoryPlan.requireFit(contentsOf: file, options: options)
        } catch let error as ModelLoadingError where error.shortage != nil {
            shortage = error
            report.alternatives = error.shortage?.alternatives
        }
        if measure, shortage == nil { report.measured = try MemoryPlan.measure(contentsOf: file, options: options) }
        if json {
            Terminal.write(try Terminal.json(report))
        } else {
            write(report)
        }
        if let shortage { throw shortage }
    }

    private func write(_ report: Report) {
        let plan = report.plan
        var lines = [
            "context \(plan.contextSize), cache \(plan.cachePrecision.rawValue), batch \(plan.batchSize), \(plan.threadCount) threads"
        ]
        let parts = [
            ("weights", plan.weights), ("cache", plan.cache), ("activations", plan.activations),
            ("scratch", plan.scratch), ("total", plan.total),
        ]
        for (name, bytes) in parts { lines.append(Self.line(name, bytes)) }
        if let spilled = plan.spilledCache { lines.append(Self.line("in a file", spilled)) }
        if let streamed = plan.streamedWeights { lines.append(Self.line("read/token", streamed)) }
        if let measured = report.measured {
            let share = 100 * (Double(plan.total) / Double(max(1, measured)) - 1)
            lines.append(Self.line("measured", measured) + String(format: "  (the plan is %+.1f %% off)", share))
        }
        Terminal.write(lines.joined(separator: "\n") + "\n")
    }

    private static func line(_ name: String, _ bytes: Int) -> String {
        name.padding(toLength: 12, withPad: " ", startingAt: 0)
            + String(repeating: " ", count: max(0, 16 - "\(bytes)".count))
            + "\(bytes)  \(MemoryPlan.size(bytes))"
    }
}

/// A number of bytes, with K, M or G for powers of 1024.
struct ByteCount: ExpressibleByArgument {
    let value: Int

    init?(argument: String) {
        let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
        let unit = argument.uppercased().last.flatMap { units[$0] }
        guard let number = Int(unit == nil ? argument : String(argument.dropLast())), number > 0 else { return nil }
        let (value, overflow) = number.multipliedReportingOverflow(by: unit ?? 1)
        guard !overflow else { return nil }
        self.value = value
    }
}
