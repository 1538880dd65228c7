public import ArgumentParser
public import EdgeLLM
import Foundation

/// `edge-llm embed`: texts to vectors.
struct EmbedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "embed", abstract: "Turn texts into vectors.",
        discussion:
            "Texts are the arguments, or the lines of --file or of standard input; empty lines are left out. Numbers are written so that they "
            + "read back as the same bits; raw is little-endian f32, one vector after the other.")

    enum Format: String, ExpressibleByArgument, CaseIterable { case json, csv, raw }

    @Argument(help: "The texts.") var texts: [String] = []

    @Option(name: [.customShort("m"), .long], help: "The GGUF file; of a split model, any part.")
    var model: String

    @Option(name: [.customShort("t"), .long], help: "Threads that compute. (default: the physical cores)")
    var threads: Int?

    @Option(name: [.customShort("f"), .long], help: "A file with a text on each line.")
    var file: String?

    @Option(help: "How vectors are written: json, csv or raw.")
    var format = Format.json

    @Option(help: "How token vectors become one: mean, first or last. (default: what the file says)")
    var pooling: GGUFEmbeddingModel.Pooling?

    @Option(help: "Put before each text, such as 'search_query: '; some models were trained with that.")
    var prefix = ""

    @Flag(help: "Multiply float weights by the system's BLAS; vectors then differ between machines.")
    var blas = false

    @Flag(help: "Leave vectors as long as they are.")
    var noNormalize = false

    @Flag(help: "Cut texts that are too long for the model, instead of refusing them.")
    var truncate = false

    @Flag(help: "Print the cosines between the texts instead of the vectors.")
    var similarity = false

    @Option(
        help: ArgumentHelp("Measure instead: embed the texts N times and print texts per second.", valueName: "n"))
    var repeats: Int?

    func validate() throws {
        if let repeats, !(1...1_000_000).contains(repeats) { throw ValidationError("--repeats must be 1 to 1000000.") }
        if let threads, !(1...256).contains(threads) { throw ValidationError("--threads must be 1 to 256.") }
        if !texts.isEmpty, file != nil { throw ValidationError("Give texts or --file, not both.") }
    }

    func run() async throws {
        let texts = try inputs()
        let model = try await GGUFEmbeddingModel(
            contentsOf: URL(fileURLWithPath: model),
            options: .init(
                threadCount: threads, pooling: pooling, normalizes: !noNormalize, truncatesLongTexts: truncate,
                passagePrefix: prefix, usesBLAS: blas))
        if let repeats { return try await measure(model, texts, repeats) }
        let vectors = try await Terminal.interruptible { try await model.embed(texts) }
        if similarity {
            // The matrix is symmetric, but writing it whole is what a reader of the file expects.
            try write(vectors.map { row in vectors.map { row.cosineSimilarity(to: $0) } }, texts, model, "similarities")
        } else {
            try write(vectors.map(\.values), texts, model, "embeddings")
        }
    }

    private struct Speed: Encodable {
        var texts: Int
        var tokens: Int
        var threads: Int
        /// Of each round.
        var textsPerSecond: [Double]
        var median: Double
    }

    /// Times rounds over all texts, cutting into tokens included, after one that is not timed.
    private func measure(_ model: GGUFEmbeddingModel, _ texts: [String], _ repeats: Int) async throws {
        _ = try await model.embed(texts)
        var speeds: [Double] = []
        for _ in 0..<repeats {
            let start = ContinuousClock.now
            _ = try await model.embed(texts)
            speeds.append(Double(texts.count) / max(1e-9, Terminal.seconds(since: start)))
        }
        let sorted = speeds.sorted()
        Terminal.write(
            try Terminal.json(
                Speed(
                    texts: texts.count, tokens: texts.reduce(0) { $0 + model.tokenCount(for: $1) },
                    threads: model.threadCount, textsPerSecond: speeds, median: sorted[sorted.count / 2])))
    }

    private func inputs() throws -> [String] {
        if !texts.isEmpty { return texts }
        if file == nil, Terminal.inputIsTerminal {
            Terminal.note("edge-llm: reading texts, one a line; end them with Ctrl-D")
        }
        let lines = String(decoding: try Terminal.read(path: file), as: UTF8.self)
            .split(omittingEmptySubsequences: true, whereSeparator: \.isNewline).map(String.init)
        guard !lines.isEmpty else { throw Failure.Message("there are no texts; give some, one on each line") }
        return lines
    }

    private func write(_ rows: [[Float]], _ texts: [String], _ model: GGUFEmbeddingModel, _ name: String) throws {
        switch format {
        case .json:
            // By hand: a row a line, and the shortest digits that read back as the same Float.
            var out = "{\"model\": \(try Self.quoted(model.identifier)), \"pooling\": \"\(model.pooling.rawValue)\",\n"
            out += " \"texts\": [" + (try texts.map(Self.quoted)).joined(separator: ", ") + "],\n \"\(name)\": [\n"
            Terminal.write(out)
            for (index, row) in rows.enumerated() {
                Terminal.write(
                    "  [" + row.map(Self.digits).joined(separator: ", ")
                        + (index == rows.count - 1 ? "]\n ]}\n" : "],\n"))
            }
        case .csv: for row in rows { Terminal.write(row.map(Self.digits).joined(separator: ",") + "\n") }
        case .raw:
            for row in rows {
                Terminal.write(
                    row.flatMap { value in
                        let bits = value.bitPattern
                        return (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
                    })
            }
        }
    }

    private static func digits(_ value: Float) -> String { value.isFinite ? "\(value)" : "null" }

    private static func quoted(_ text: String) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return String(decoding: try encoder.encode(text), as: UTF8.self)
    }
}

extension GGUFEmbeddingModel.Pooling: ExpressibleByArgument {}
