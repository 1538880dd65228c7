internal import EdgeEngine
internal import EdgeGGUF
internal import EdgeLLM
public import Foundation

/// A quantization whose types are chosen by what they cost: as small as a loss allows, or as good as a size allows.
public struct AutomaticQuantization: Sendable {
    /// What must hold.
    public enum Goal: Sendable, Hashable {
        /// The mean divergence from the original, in nats a token, on the calibration text, is no larger; with the fewest bytes.
        case divergence(Double)
        /// The file has no more bytes; with the least divergence.
        case fileByteCount(Int)
    }

    /// What was measured of each tensor.
    public let measurement: MixedPrecision
    /// The types that were chosen.
    public let mix: MixedPrecision.Mix
    /// The divergence of the file on the calibration text, of all tensors together.
    public let divergence: Double

    /// Measures, chooses and writes.
    ///
    /// - Parameters:
    ///   - input: the original.
    ///   - output: the file to write.
    ///   - options: what is the same whatever is chosen; rules in it precede the choice.
    ///   - goal: what must hold.
    ///   - text: what the model will be used for; judge the result on another.
    ///   - parsesSpecialTokens: whether the text's control tokens are read as such, as in conversations that a template laid out.
    ///   - types: the types to choose from.
    ///   - pieceLength: tokens of a piece of the text.
    ///   - maximumPieces: pieces at most.
    ///   - effort: whether all types are measured, or others reckoned by two.
    ///   - measurement: what was measured before; nil to measure now.
    ///   - progress: called with the measurements done and those in all.
    /// - Throws: as `MixedPrecision.measure` and `ModelQuantizer.write`; `QuantizationError.unreachable` where nothing meets the goal.
    public static nonisolated(nonsending) func write(
        _ input: URL, to output: URL, options: ModelQuantizer.Options, goal: Goal, text: [UInt8],
        parsesSpecialTokens: Bool = false, types: [TensorType] = TensorType.all, pieceLength: Int = 256,
        maximumPieces: Int = 16, effort: MixedPrecision.Effort = .everyType, measurement: MixedPrecision? = nil,
        progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) async throws -> AutomaticQuantization {
        let measured: MixedPrecision
        if let measurement {
            measured = measurement
        } else {
            measured = try await MixedPrecision.measure(
                input, on: text, parsesSpecialTokens: parsesSpecialTokens, types: types, effort: effort,
                importance: options.importance, pieceLength: pieceLength, maximumPieces: maximumPieces,
                threadCount: options.threadCount, progress: progress)
        }
        let trial = output.deletingLastPathComponent().appendingPathComponent(output.lastPathComponent + ".trial")
        defer { try? FileManager.default.removeItem(at: trial) }

        /// Writes a mix under another name, and measures it.
        func divergence(of mix: MixedPrecision.Mix) async throws -> Double {
            try await quantizer(input, options, mix).write(to: trial)
            let worker = try ModelLoadingError.reporting(input.path) { try WorkThread() }
            return try await worker.run {
                let original = try ModelLoadingError.reporting(input.path) { try GGUFFile(path: input.path) }
                let file = try ModelLoadingError.reporting(trial.path) { try GGUFFile(path: trial.path) }
                return try DivergenceReference(
                    original, text: text, parsesSpecialTokens: parsesSpecialTokens, pieceLength: pieceLength,
                    maximumPieces: maximumPieces, threadCount: options.threadCount
                ).divergence(of: file)
            }
        }

        let best: (mix: MixedPrecision.Mix, divergence: Double)
        switch goal {
        case .fileByteCount(let budget):
            let file = try ModelLoadingError.reporting(input.path) { try GGUFFile(path: input.path) }
            // Before the tensors, between them, and some for keys that are added.
            let overhead = file.dataOffset + file.tensors.count * file.alignment + 4096
            let mix = try measured.mix(byteBudget: budget - min(budget, overhead))
            best = (mix, try await divergence(of: mix))
        case .divergence(let target):
            guard target > 0 else {
                throw QuantizationError(.invalidOptions, "a divergence of \(target) cannot be met; give one above 0")
            }
            // Losses nearly add up: find by how much they do not, and where the measured one meets the target, by halving what the
            // predicted one may be.
            let frontier = measured.frontier
            var (low, high) = (0, frontier.count - 1)
            var found: (mix: MixedPrecision.Mix, divergence: Double)?
            while low <= high {
                let middle = (low + high) / 2
                let loss = try await divergence(of: frontier[middle])
                if loss <= target {
                    found = (frontier[middle], loss)
                    high = middle - 1
                } else {
                    low = middle + 1
                }
            }
            guard let found else {
                throw QuantizationError(.unreachable, "no mix of these types diverges by \(target) or less")
            }
            best = found
        }
        try await quantizer(input, options, best.mix).write(to: output)
        return AutomaticQuantization(measurement: measured, mix: best.mix, divergence: best.divergence)
    }

    private static func quantizer(
        _ input: URL, _ options: ModelQuantizer.Options, _ mix: MixedPrecision.Mix
    ) throws -> ModelQuantizer {
        var options = options
        options.rules += mix.rules
        return try ModelQuantizer(contentsOf: input, options: options)
    }
}
