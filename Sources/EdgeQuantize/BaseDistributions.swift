internal import EdgeEngine
internal import EdgeGGUF
internal import EdgeLLM
internal import EdgePlatform
internal import EdgeQuant
public import Foundation

/// What an original predicts for a text, kept in a file of megabytes: its most probable tokens before each scored one. Models are compared
/// with it where the original is not at hand or does not fit beside them.
///
/// A GGUF file of `general.type` `edge-base`: `ids` (i32) and `logarithms` (f32, of probabilities) by token, `targets` and `tops` (i32) and
/// `losses` (f64).
public struct BaseDistributions: Sendable {
    let kept: [KeptDistribution]
    let textHash: String
    /// Tokens of a piece.
    public let pieceLength: Int
    let vocabularySize: Int
    /// Tokens that were scored.
    public var scoredTokenCount: Int { kept.count }
    private var keptTokenCount: Int { kept.first?.ids.count ?? 0 }
    /// Of a piece.
    var scoredPerPiece: Int { pieceLength - 1 - pieceLength / 2 }

    private static let prefix = "edge.base."

    private init(kept: [KeptDistribution], textHash: String, pieceLength: Int, vocabularySize: Int) {
        self.kept = kept
        self.textHash = textHash
        self.pieceLength = pieceLength
        self.vocabularySize = vocabularySize
    }

    /// Computes a text.
    ///
    /// - Parameters:
    ///   - base: the original.
    ///   - text: what models will be judged on.
    ///   - parsesSpecialTokens: whether the text's control tokens are read as such, as in conversations that a template laid out.
    ///   - pieceLength: tokens of a piece, 8 or more.
    ///   - maximumPieces: pieces at most; nil for all.
    ///   - keptTokenCount: tokens of each distribution that are kept, eight bytes each.
    ///   - threadCount: threads that compute; nil for the physical cores.
    ///   - progress: called after each piece with the pieces done and those in all.
    /// - Throws: `ModelLoadingError`, `QuantizationError.invalidOptions`, `CancellationError`.
    public static nonisolated(nonsending) func measure(
        _ base: URL, on text: [UInt8], parsesSpecialTokens: Bool = false, pieceLength: Int = 512,
        maximumPieces: Int? = nil, keptTokenCount: Int = 64,
        threadCount: Int? = nil, progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) async throws -> BaseDistributions {
        guard keptTokenCount > 0, (maximumPieces ?? 1) > 0 else {
            throw QuantizationError(.invalidOptions, "at least one token is kept, and one piece measured")
        }
        let worker = try ModelLoadingError.reporting(base.path) { try WorkThread() }
        return try await worker.run {
            let file = try ModelLoadingError.reporting(base.path) { try GGUFFile(path: base.path) }
            let scorer = try TextScorer(
                file, text: text, parsesSpecialTokens: parsesSpecialTokens, pieceLength: pieceLength,
                threadCount: threadCount)
            let total = min(maximumPieces ?? .max, scorer.pieceCount)
            var kept: [KeptDistribution] = []
            while scorer.done < total,
                try scorer.next({ kept.append(KeptDistribution($1, target: $0, count: keptTokenCount)) })
            { progress(scorer.done, total) }
            return BaseDistributions(
                kept: kept, textHash: QualityCertificate.hash(of: text), pieceLength: pieceLength,
                vocabularySize: scorer.vocabularySize)
        }
    }

    /// Whether a file is of this kind.
    public static func isOne(_ url: URL) -> Bool {
        (try? GGUFFile(path: url.path))?["general.type"]?.text == "edge-base"
    }

    /// Reads a file.
    ///
    /// - Throws: `ModelLoadingError` for a damaged file, `QuantizationError.unreadable` for one of another kind.
    public init(contentsOf url: URL) throws {
        let file = try ModelLoadingError.reporting(url.path) { try GGUFFile(path: url.path) }
        let wrong = QuantizationError(
            .unreadable, "\(url.path): the file holds no base to compare with, or a damaged one")
        guard file["general.type"]?.text == "edge-base", let hash = file[Self.prefix + "text_hash"]?.text,
            let length = file[Self.prefix + "piece_length"]?.int, (8...1 << 24).contains(length),
            let size = file[Self.prefix + "vocabulary_size"]?.int, (1...Int(Int32.max)).contains(size),
            let ids = file.tensor(named: "ids"), ids.type == .i32, ids.dimensions.count <= 2,
            let logarithms = file.tensor(named: "logarithms"), logarithms.type == .f32,
            let targets = file.tensor(named: "targets"), targets.type == .i32,
            let tops = file.tensor(named: "tops"), tops.type == .i32,
            let losses = file.tensor(named: "losses"), losses.type == .f64
        else { throw wrong }
        let (count, width) = (targets.valueCount, ids.dimensions[0])
        guard tops.valueCount == count, losses.valueCount == count, ids.valueCount / width == count,
            ids.valueCount % width == 0, logarithms.valueCount == ids.valueCount, width <= size,
            count % (length - 1 - length / 2) == 0
        else { throw wrong }
        let values = (ids.bytes, logarithms.bytes, targets.bytes, tops.bytes, losses.bytes)
        func id(_ view: ByteView, _ index: Int) throws -> Int32 {
            guard let id: Int32 = view.load(at: 4 * index), id >= 0, id < size else { throw wrong }
            return id
        }
        var kept: [KeptDistribution] = []
        for token in 0..<count {
            let own = token * width..<(token + 1) * width
            guard let loss: UInt64 = values.4.load(at: 8 * token) else { throw wrong }
            let logarithms = own.map { index -> Double in
                guard let bits: UInt32 = values.1.load(at: 4 * index) else { return .nan }
                return Double(Float(bitPattern: bits))
            }
            guard logarithms.allSatisfy({ $0 <= 0 }), Double(bitPattern: loss) >= 0 else { throw wrong }
            kept.append(
                KeptDistribution(
                    ids: try own.map { try id(values.0, $0) }, logarithms: logarithms, top: try id(values.3, token),
                    target: try id(values.2, token), loss: Double(bitPattern: loss)))
        }
        self.kept = kept
        textHash = hash
        pieceLength = length
        vocabularySize = size
    }

    /// Writes the file, in one step.
    ///
    /// - Throws: `QuantizationError` with the code `unwritable`.
    public func write(to url: URL) throws {
        func bytes<T: FixedWidthInteger>(_ values: some Sequence<T>) -> [UInt8] {
            var bytes: [UInt8] = []
            for value in values {
                for k in 0..<T.bitWidth / 8 { bytes.append(UInt8(truncatingIfNeeded: value >> T(8 * k))) }
            }
            return bytes
        }
        var writer = GGUFWriter()
        writer.set("general.type", .string("edge-base"))
        writer.set(Self.prefix + "text_hash", .string(textHash))
        writer.set(Self.prefix + "piece_length", .uint32(UInt32(clamping: pieceLength)))
        writer.set(Self.prefix + "vocabulary_size", .uint32(UInt32(clamping: vocabularySize)))
        let (count, width) = (kept.count, keptTokenCount)
        do {
            try writer.add(name: "ids", type: .i32, dimensions: [width, count], bytes: bytes(kept.lazy.flatMap(\.ids)))
            try writer.add(
                name: "logarithms", type: .f32, dimensions: [width, count],
                bytes: bytes(kept.lazy.flatMap(\.logarithms).map { Float($0).bitPattern }))
            try writer.add(name: "targets", type: .i32, dimensions: [count], bytes: bytes(kept.lazy.map(\.target)))
            try writer.add(name: "tops", type: .i32, dimensions: [count], bytes: bytes(kept.lazy.map(\.top)))
            try writer.add(
                name: "losses", type: .f64, dimensions: [count], bytes: bytes(kept.lazy.map(\.loss.bitPattern)))
            try writer.write(to: url.path)
        } catch {
            throw QuantizationError(.unwritable, "\(error)")
        }
    }
}

extension ModelComparison {
    /// Compares a model with what was kept of an original; otherwise as `measure(base:model:on:parsesSpecialTokens:pieceLength:maximumPieces:keptTokenCount:threadCount:progress:)`.
    ///
    /// - Throws: also `QuantizationError.invalidOptions` where the text is another.
    public static nonisolated(nonsending) func measure(
        base: BaseDistributions, model: URL, on text: [UInt8], parsesSpecialTokens: Bool = false,
        threadCount: Int? = nil,
        progress: @escaping @Sendable (_ current: ModelComparison, _ total: Int) -> Void = { _, _ in }
    ) async throws -> ModelComparison {
        guard QualityCertificate.hash(of: text) == base.textHash else {
            throw QuantizationError(.invalidOptions, "the base was measured on another text")
        }
        let worker = try ModelLoadingError.reporting(model.path) { try WorkThread() }
        return try await worker.run {
            let file = try ModelLoadingError.reporting(model.path) { try GGUFFile(path: model.path) }
            let scorer = try TextScorer(
                file, text: text, parsesSpecialTokens: parsesSpecialTokens, pieceLength: base.pieceLength,
                threadCount: threadCount)
            let other = QuantizationError(
                .invalidOptions, "\(model.path) has another vocabulary than the base: they cannot be compared")
            guard scorer.vocabularySize == base.vocabularySize else { throw other }
            let total = base.kept.count / base.scoredPerPiece
            var sums = ComparisonSums(pieceLength: base.pieceLength)
            while sums.pieceCount < total {
                let start = sums.pieceCount * base.scoredPerPiece
                var piece = ComparisonSums.Piece()
                var isSame = true
                let isThere = try scorer.next { target, logits in
                    let kept = base.kept[start + piece.count]
                    if kept.target != target { isSame = false }
                    piece.add(kept, logits)
                }
                guard isThere, isSame else { throw other }
                sums.add(piece)
                guard piece.loss.isFinite else {
                    throw QuantizationError(
                        .notFinite, "\(model.path): the model computes no usable numbers; its file is damaged")
                }
                progress(sums.result, total)
            }
            return sums.result
        }
    }
}
