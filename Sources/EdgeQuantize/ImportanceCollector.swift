internal import EdgeEngine
internal import EdgeGGUF
internal import EdgeKernels
internal import EdgeLLM
internal import EdgeModel
internal import EdgePlatform
internal import EdgeTokenizer
public import Foundation

extension ImportanceMatrix {
    /// Measures how much errors matter, on a text: every piece of it is computed from an empty context.
    ///
    /// - Parameters:
    ///   - model: the model, best in its original precision.
    ///   - text: what the model will be used for, in its language and form.
    ///   - dataset: a name for the text, kept in the file.
    ///   - parsesSpecialTokens: whether the text's control tokens are read as such, as in conversations that a template laid out.
    ///   - pieceLength: tokens of a piece, 8 or more.
    ///   - maximumPieces: pieces at most; nil for all.
    ///   - threadCount: threads that compute; nil for the physical cores.
    ///   - progress: called after each piece with the perplexity so far, the pieces done and those in all.
    /// - Throws: `ModelLoadingError`, `QuantizationError` where the text is too short; `CancellationError`.
    public static nonisolated(nonsending) func measure(
        _ model: URL, on text: [UInt8], dataset: String, parsesSpecialTokens: Bool = false, pieceLength: Int = 512,
        maximumPieces: Int? = nil,
        threadCount: Int? = nil,
        progress: @escaping @Sendable (_ perplexity: Double, _ done: Int, _ total: Int) -> Void = { _, _, _ in }
    ) async throws -> ImportanceMatrix {
        let worker = try ModelLoadingError.reporting(model.path) { try WorkThread() }
        return try await worker.run {
            let file = try ModelLoadingError.reporting(model.path) { try GGUFFile(path: model.path) }
            return try measure(
                file, on: text, dataset: dataset, parsesSpecialTokens: parsesSpecialTokens, pieceLength: pieceLength,
                maximumPieces: maximumPieces, threadCount: threadCount, progress: progress)
        }
    }

    static func measure(
        _ file: GGUFFile, on text: [UInt8], dataset: String, parsesSpecialTokens: Bool, pieceLength: Int,
        maximumPieces: Int?, threadCount: Int?,
        progress: @Sendable (_ perplexity: Double, _ done: Int, _ total: Int) -> Void
    ) throws -> ImportanceMatrix {
        let collector = ImportanceCollector(file)
        let scorer = try TextScorer(
            file, text: text, parsesSpecialTokens: parsesSpecialTokens, pieceLength: pieceLength,
            threadCount: threadCount, observer: collector)
        let total = min(maximumPieces ?? .max, scorer.pieceCount)
        while scorer.done < total, try scorer.next() { progress(scorer.perplexity, scorer.done, total) }
        let entries = collector.finish()
        if let name = entries.first(where: { !$0.value.sums.allSatisfy(\.isFinite) })?.key {
            throw QuantizationError(
                .notFinite, "\(file.path): what \(name) is multiplied with is not finite", tensor: name)
        }
        return ImportanceMatrix(entries: entries, datasets: [dataset], chunkCount: scorer.done, chunkSize: pieceLength)
    }
}

/// A text being computed by a model piece by piece.
final class TextScorer {
    private let measurement: EdgeEngine.Perplexity
    let tokens: [Int32]
    let vocabularySize: Int
    private let beginning: Int32?

    /// Loads the model and cuts the text.
    ///
    /// - Throws: `ModelLoadingError`; `QuantizationError.invalidOptions` where the text does not fill one piece.
    init(
        _ file: GGUFFile, text: [UInt8], parsesSpecialTokens: Bool, pieceLength: Int, threadCount: Int?,
        observer: (any ActivationObserver)? = nil
    ) throws {
        guard (8...1 << 24).contains(pieceLength), (1...256).contains(threadCount ?? 1) else {
            throw QuantizationError(.invalidOptions, "give pieces of 8 to \(1 << 24) tokens, and 1 to 256 threads")
        }
        let model = try ModelLoadingError.reporting(file.path) { try Model(file) }
        let tokenizer = try ModelLoadingError.reporting(file.path) { try model.makeTokenizer() }
        let tokens = tokenizer.encode(bytes: text, addSpecial: true, parseSpecial: parsesSpecialTokens)
        self.tokens = tokens
        beginning = tokenizer.addsBos ? tokenizer.bosId : nil
        vocabularySize = model.vocabularySize
        guard tokens.count >= pieceLength else {
            throw QuantizationError(
                .invalidOptions,
                "\(tokens.count) tokens of text do not fill one piece of \(pieceLength); give more text or shorter pieces"
            )
        }
        measurement = try Self.measurement(
            of: model, file, tokens, beginning, pieceLength: pieceLength, threadCount: threadCount, observer: observer)
    }

    /// The same text for another file of the same vocabulary.
    init(_ file: GGUFFile, like other: TextScorer, pieceLength: Int, threadCount: Int?) throws {
        let model = try ModelLoadingError.reporting(file.path) { try Model(file) }
        (tokens, vocabularySize, beginning) = (other.tokens, other.vocabularySize, other.beginning)
        measurement = try Self.measurement(
            of: model, file, tokens, beginning, pieceLength: pieceLength, threadCount: threadCount, observer: nil)
    }

    private static func measurement(
        of model: Model, _ file: GGUFFile, _ tokens: [Int32], _ beginning: Int32?, pieceLength: Int, threadCount: Int?,
        observer: (any ActivationObserver)?
    ) throws -> EdgeEngine.Perplexity {
        try ModelLoadingError.reporting(file.path) {
            try EdgeEngine.Perplexity(
                model: model, tokens: tokens, beginning: beginning, contextSize: pieceLength, threadCount: threadCount,
                precision: .f16, observer: observer)
        }
    }

    var pieceCount: Int { measurement.pieceCount }
    var done: Int { measurement.done }
    var perplexity: Double { measurement.value }

    /// Computes the next piece, with a closure over the logits before each scored token; false when none is left.
    ///
    /// - Throws: `CancellationError`, `QuantizationError.unreadable`.
    func next(_ visitor: ((_ target: Int32, _ logits: Span<Float>) -> Void)? = nil) throws -> Bool {
        measurement.visitor = visitor
        defer { measurement.visitor = nil }
        do {
            return try measurement.next()
        } catch let error as EngineError {
            throw QuantizationError(.unreadable, "\(error)")
        }
    }
}

/// Adds up the squares of what each matrix is multiplied with.
private final class ImportanceCollector: ActivationObserver {
    /// The tensors that read an input, by layer.
    private let names: [[ActivationInput: [String]]]
    private let expertCounts: [String: Int]
    private var entries: [String: ImportanceMatrix.Entry] = [:]

    init(_ file: GGUFFile) {
        let readers: [(ActivationInput, [String])] = [
            (.attention, ["attn_q", "attn_k", "attn_v", "attn_qkv"]), (.attentionOutput, ["attn_output"]),
            (.feedForward, ["ffn_gate", "ffn_up", "ffn_gate_inp"]), (.down, ["ffn_down"]),
            (.expert, ["ffn_gate_exps", "ffn_up_exps"]), (.expertDown, ["ffn_down_exps"]),
        ]
        var expertCounts: [String: Int] = [:]
        names = (0..<file.layerCount).map { layer in
            var found: [ActivationInput: [String]] = [:]
            for (input, parts) in readers {
                found[input] = parts.compactMap { part in
                    let name = "blk.\(layer).\(part).weight"
                    guard let tensor = file.tensor(named: name) else { return nil }
                    expertCounts[name] = tensor.dimensions.count > 2 ? tensor.dimensions[2] : 1
                    return name
                }
            }
            return found
        }
        self.expertCounts = expertCounts
    }

    func observe(_ input: ActivationInput, layer: Int, _ x: Rows, rows: Range<Int>, expert: Int) {
        guard !rows.isEmpty, names.indices.contains(layer), let readers = names[layer][input], let first = readers.first
        else { return }
        let columns = x.columnCount
        let experts = expertCounts[first] ?? 1
        guard expert < experts else { return }
        var entry =
            entries.removeValue(forKey: first)
            ?? ImportanceMatrix.Entry(
                sums: [Float](repeating: 0, count: columns * experts), counts: [Float](repeating: 0, count: experts))
        let start = expert * columns
        for row in rows {
            x.withSpan(row: row) { values in
                for i in 0..<columns { entry.sums[start + i] += values[i] * values[i] }
            }
        }
        entry.counts[expert] += Float(rows.count)
        entries[first] = entry
    }

    /// The sums of all tensors: those that read the same input have the same.
    func finish() -> [String: ImportanceMatrix.Entry] {
        var result: [String: ImportanceMatrix.Entry] = [:]
        for layer in names {
            for readers in layer.values {
                guard let first = readers.first, let entry = entries[first] else { continue }
                for name in readers { result[name] = entry }
            }
        }
        return result
    }
}

extension GGUFFile {
    /// Layers, by the names of tensors. A layer's number is what a file says: no more than there are tensors.
    var layerCount: Int {
        min((tensors.map { GGUFTensorOrder.layer($0.name) }.max() ?? -1) + 1, tensors.count)
    }
}
