internal import EdgeEngine
internal import EdgeGGUF
internal import EdgeLLM
internal import EdgePlatform
internal import EdgeQuant
public import Foundation

/// What each tensor of a model loses in each type, measured alone, and the mixes that lose least for their bytes.
///
/// A tensor is quantized while all others stay as they are, and the divergence of the model from the original is measured on a text. The
/// losses of several tensors nearly add up, so that types can be chosen by what a byte saves.
///
/// ```swift
/// let measured = try await MixedPrecision.measure(original, on: text)
/// var options = ModelQuantizer.Options(recipe: QuantizationRecipe("Q4_K_M")!)
/// options.rules = try measured.mix(byteBudget: 800_000_000).rules
/// ```
public struct MixedPrecision: Sendable, Hashable, Codable {
    /// A type for a tensor, and what it costs.
    public struct Choice: Sendable, Hashable, Codable {
        /// The type's name.
        public let type: String
        /// Bytes of the tensor.
        public let byteCount: Int
        /// The divergence that it alone causes, in nats a token.
        public let divergence: Double
    }

    /// A tensor and its choices, those of fewest bytes first.
    public struct Tensor: Sendable, Hashable, Codable {
        /// Its name.
        public let name: String
        /// What was measured.
        public let choices: [Choice]
    }

    /// How much is measured.
    public enum Effort: Sendable, Hashable {
        /// Each tensor in each type.
        case everyType
        /// Each tensor in two types, a fine and a coarse one. For the others its divergence is reckoned from these by the mean square of what
        /// rounding adds to its products, with which it grows evenly: for large models, hours become minutes.
        case twoTypes
    }

    /// A type for each tensor.
    public struct Mix: Sendable, Hashable {
        /// Bytes of all tensors, those that keep their type included.
        public let byteCount: Int
        /// The sum of the divergences measured alone.
        public let predictedDivergence: Double
        /// The types, as rules for `ModelQuantizer`.
        public let rules: [ModelQuantizer.Rule]
    }

    /// The tensors that have a choice, in the order of the file that is written.
    public let tensors: [Tensor]
    /// Bytes of the others.
    public let fixedByteCount: Int

    /// Measures every tensor in every type.
    ///
    /// - Parameters:
    ///   - model: the original.
    ///   - text: what the model will be used for; not the text that the result is judged on.
    ///   - parsesSpecialTokens: whether the text's control tokens are read as such, as in conversations that a template laid out.
    ///   - types: the types to try; those whose blocks do not fit a tensor are passed over.
    ///   - effort: whether all types are measured.
    ///   - importance: how much errors matter, if the result will be made with it.
    ///   - pieceLength: tokens of a piece of the text.
    ///   - maximumPieces: pieces at most.
    ///   - threadCount: threads that compute; nil for the physical cores.
    ///   - progress: called with the measurements done and those in all.
    /// - Throws: `ModelLoadingError`, `QuantizationError`, `CancellationError`.
    /// - Complexity: tensors times types passes over the text, or two for each tensor. One quantized tensor is in memory at a time.
    public static nonisolated(nonsending) func measure(
        _ model: URL, on text: [UInt8], parsesSpecialTokens: Bool = false, types: [TensorType] = TensorType.all,
        effort: Effort = .everyType, importance: ImportanceMatrix? = nil, pieceLength: Int = 256,
        maximumPieces: Int = 16, threadCount: Int? = nil,
        progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) async throws -> MixedPrecision {
        let worker = try ModelLoadingError.reporting(model.path) { try WorkThread() }
        return try await worker.run {
            let file = try ModelLoadingError.reporting(model.path) { try GGUFFile(path: model.path) }
            let reference = try DivergenceReference(
                file, text: text, parsesSpecialTokens: parsesSpecialTokens, pieceLength: pieceLength,
                maximumPieces: maximumPieces, threadCount: threadCount)
            var inputs: ImportanceMatrix?
            if effort == .twoTypes {
                inputs =
                    try importance
                    ?? ImportanceMatrix.measure(
                        file, on: text, dataset: "", parsesSpecialTokens: parsesSpecialTokens, pieceLength: pieceLength,
                        maximumPieces: maximumPieces, threadCount: threadCount, progress: { _, _, _ in })
            }
            return try MixedPrecision(
                file, reference, types.map(\.type), importance, inputs: inputs, threadCount: threadCount,
                progress: progress)
        }
    }

    /// - Parameter inputs: what divergences are reckoned by; nil to measure all.
    private init(
        _ file: GGUFFile, _ reference: DivergenceReference, _ types: [GGMLType], _ importance: ImportanceMatrix?,
        inputs: ImportanceMatrix?, threadCount: Int?, progress: @Sendable (_ done: Int, _ total: Int) -> Void
    ) throws {
        let engine = try QuantizationEngine(file, threadCount: threadCount)
        let sorted = GGUFTensorOrder.sorted(file.tensors)
        let free = sorted.filter { RecipeChooser.mayQuantize($0) && [.f32, .f16, .bf16].contains($0.type) }
        fixedByteCount = sorted.reduce(0) { $0 + $1.byteCount } - free.reduce(0) { $0 + $1.byteCount }
        var measured: [Tensor] = []
        /// The divergence of the model with one tensor in another type.
        func divergence(_ tensor: GGUFTensor, _ type: GGMLType) throws -> Double? {
            var bytes: [UInt8] = []
            try engine.convert(tensor, to: type, importance: importance?.values(for: tensor.name)) {
                bytes.append(contentsOf: $0)
            }
            return try file.replacing(tensor.name, type: type, bytes: ByteView(bytes)).map(reference.divergence)
        }
        for (index, tensor) in free.enumerated() {
            try importance?.check(tensor, encodingTo: .q4K)
            let fitting = types.compactMap { type -> (type: GGMLType, byteCount: Int)? in
                guard tensor.dimensions[0] % type.blockLength == 0,
                    let byteCount = type.byteCount(valueCount: tensor.valueCount), byteCount < tensor.byteCount
                else { return nil }
                return (type, byteCount)
            }
            var choices = [Choice(type: tensor.type.name, byteCount: tensor.byteCount, divergence: 0)]
            func add(_ fit: (type: GGMLType, byteCount: Int), _ divergence: Double?) {
                guard let divergence else { return }
                choices.append(Choice(type: fit.type.name, byteCount: fit.byteCount, divergence: divergence))
            }
            if let inputs {
                progress(index, free.count)
                let lines = try engine.reckoned(tensor, fitting, inputs, importance) { try divergence(tensor, $0) }
                for (fit, divergence) in zip(fitting, lines) { add(fit, divergence) }
            } else {
                for (place, fit) in fitting.enumerated() {
                    progress(index * types.count + place, free.count * types.count)
                    add(fit, try divergence(tensor, fit.type))
                }
            }
            measured.append(
                Tensor(
                    name: tensor.name,
                    choices: choices.sorted { ($0.byteCount, $0.divergence) < ($1.byteCount, $1.divergence) }))
        }
        let total = free.count * (inputs == nil ? types.count : 1)
        progress(total, total)
        tensors = measured
    }

    // MARK: Choosing

    /// One more step for a tensor: the bytes it takes and the divergence it takes away.
    private struct Step {
        let tensor: Int
        let choice: Int
        let byteCount: Int
        let gain: Double
        var gainPerByte: Double { gain / Double(max(1, byteCount)) }
    }

    /// For each tensor the choice of fewest bytes, then the steps on the lower convex hull of its choices, over all tensors those that gain most
    /// for a byte first. Those of one tensor are in their order, as a hull's slopes fall.
    private func steps() -> (start: [Int], steps: [Step]) {
        var start: [Int] = []
        var steps: [Step] = []
        for (index, tensor) in tensors.enumerated() {
            var current = 0
            for choice in tensor.choices.indices
            where tensor.choices[choice].byteCount == tensor.choices[0].byteCount
                && tensor.choices[choice].divergence < tensor.choices[current].divergence
            { current = choice }
            start.append(current)
            while true {
                let from = tensor.choices[current]
                var best: Step?
                for (choice, to) in tensor.choices.enumerated()
                where to.byteCount > from.byteCount && to.divergence < from.divergence {
                    let step = Step(
                        tensor: index, choice: choice, byteCount: to.byteCount - from.byteCount,
                        gain: from.divergence - to.divergence)
                    if step.gainPerByte > best?.gainPerByte ?? 0 { best = step }
                }
                guard let best else { break }
                steps.append(best)
                current = best.choice
            }
        }
        return (
            start,
            steps.enumerated().sorted { ($1.element.gainPerByte, $0.offset) < ($0.element.gainPerByte, $1.offset) }.map(
                \.element)
        )
    }

    private func mix(_ chosen: [Int]) -> Mix {
        var byteCount = fixedByteCount
        var divergence = 0.0
        var rules: [ModelQuantizer.Rule] = []
        for (tensor, choice) in zip(tensors, chosen) {
            let choice = tensor.choices[choice]
            byteCount += choice.byteCount
            divergence += choice.divergence
            guard let type = TensorType(choice.type) else { continue }
            rules.append(.init(pattern: "^" + tensor.name.replacing(".", with: "\\.") + "$", type: type))
        }
        return Mix(byteCount: byteCount, predictedDivergence: divergence, rules: rules)
    }

    /// The mixes of which none has both fewer bytes and less predicted divergence, those of fewest bytes first.
    public var frontier: [Mix] {
        var (chosen, steps) = steps()
        var mixes = [mix(chosen)]
        for step in steps {
            chosen[step.tensor] = step.choice
            mixes.append(mix(chosen))
        }
        return mixes
    }

    /// The mix of least predicted divergence whose tensors take no more than so many bytes.
    ///
    /// - Throws: `QuantizationError.unreachable` where even the smallest takes more.
    public func mix(byteBudget: Int) throws -> Mix {
        var (chosen, steps) = steps()
        var byteCount = mix(chosen).byteCount
        guard byteCount <= byteBudget else {
            throw QuantizationError(
                .unreachable,
                "the smallest mix of these types has \(byteCount) bytes of tensors, more than \(byteBudget)")
        }
        var isBlocked = Set<Int>()
        for step in steps where !isBlocked.contains(step.tensor) {
            guard byteCount + step.byteCount <= byteBudget else {
                isBlocked.insert(step.tensor)
                continue
            }
            byteCount += step.byteCount
            chosen[step.tensor] = step.choice
        }
        return mix(chosen)
    }

    /// The mix of fewest bytes whose predicted divergence is no larger.
    public func mix(predictedDivergence target: Double) throws -> Mix {
        guard target >= 0, let found = frontier.first(where: { $0.predictedDivergence <= target }) else {
            throw QuantizationError(.unreachable, "no mix of these types diverges by \(target) or less")
        }
        return found
    }

    /// The frontier as a picture: bytes to the right, predicted divergence upwards by powers of ten, and other models as points.
    ///
    /// - Parameter others: names, bytes of tensors, and divergences measured.
    public func svg(others: [(name: String, byteCount: Int, divergence: Double)] = []) -> String {
        let points = frontier.filter { $0.predictedDivergence > 0 }.map {
            (Double($0.byteCount), $0.predictedDivergence)
        }
        let all = points + others.filter { $0.divergence > 0 }.map { (Double($0.byteCount), $0.divergence) }
        guard let most = all.map(\.0).max(), let least = all.map(\.0).min(), let high = all.map(\.1).max(),
            let low = all.map(\.1).min()
        else { return "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n" }
        let (width, height, margin) = (760.0, 480.0, 70.0)
        let top = log10(high).rounded(.up)
        let bottom = min(log10(low).rounded(.down), top - 1)
        func x(_ bytes: Double) -> Double { margin + (bytes - least) / max(1, most - least) * (width - 2 * margin) }
        func y(_ divergence: Double) -> Double {
            margin + (top - log10(divergence)) / (top - bottom) * (height - 2 * margin)
        }
        func number(_ value: Double) -> String { String(format: "%.1f", value) }
        func text(_ at: (Double, Double), _ words: String, anchor: String = "middle") -> String {
            let safe = words.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
            return "<text x=\"\(number(at.0))\" y=\"\(number(at.1))\" text-anchor=\"\(anchor)\">\(safe)</text>\n"
        }
        var out = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(number(width)) \(number(height))\" "
        out += "font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        for power in Int(bottom)...Int(top) {
            let line = y(pow(10, Double(power)))
            out +=
                "<line x1=\"\(number(margin))\" x2=\"\(number(width - margin))\" y1=\"\(number(line))\" y2=\"\(number(line))\" stroke=\"#ddd\"/>\n"
            out += text((margin - 8, line + 4), "1e\(power)", anchor: "end")
        }
        for part in 0...4 {
            let bytes = least + (most - least) * Double(part) / 4
            out += text((x(bytes), height - margin + 22), String(format: "%.3g MB", bytes / 1e6))
        }
        out += text((width / 2, height - 18), "bytes of tensors")
        out += text((margin, margin - 24), "divergence from the original, nats a token", anchor: "start")
        out += "<polyline fill=\"none\" stroke=\"#1f77b4\" stroke-width=\"2\" points=\""
        out += points.map { "\(number(x($0.0))),\(number(y($0.1)))" }.joined(separator: " ") + "\"/>\n"
        for other in others where other.divergence > 0 {
            let at = (x(Double(other.byteCount)), y(other.divergence))
            out += "<circle cx=\"\(number(at.0))\" cy=\"\(number(at.1))\" r=\"4\" fill=\"#d62728\"/>\n"
            out += text((at.0, at.1 - 8), other.name)
        }
        return out + "</svg>\n"
    }
}

extension QuantizationEngine {
    /// Divergences of a tensor's types, two measured and the others on the line through them, by the errors of its products.
    fileprivate func reckoned(
        _ tensor: GGUFTensor, _ fitting: [(type: GGMLType, byteCount: Int)], _ inputs: ImportanceMatrix,
        _ importance: ImportanceMatrix?, measure: (GGMLType) throws -> Double?
    ) throws -> [Double?] {
        let quantized = fitting.indices.filter { fitting[$0].type.blockLength > 1 }
        // Of about four and a half bits: enough for a loss that can be measured, and not so few that it grows faster.
        let wanted = tensor.valueCount / 16 * 9
        guard let fine = quantized.max(by: { fitting[$0].byteCount < fitting[$1].byteCount }),
            let coarse = quantized.min(by: {
                abs(fitting[$0].byteCount - wanted) < abs(fitting[$1].byteCount - wanted)
            })
        else { return try fitting.map { try measure($0.type) } }
        let errors = try fitting.map { try error(of: tensor, in: $0.type, inputs: inputs, importance: importance) }
        guard let low = try measure(fitting[fine].type),
            let high = fine == coarse ? low : try measure(fitting[coarse].type)
        else { return fitting.map { _ in nil } }
        let range = errors[coarse] - errors[fine]
        let slope = range > 0 ? max(0, high - low) / range : 0
        return fitting.indices.map { i in
            // Floats are multiplied as they are: what rounding inputs costs the others they have not.
            guard fitting[i].type.blockLength > 1 else { return slope * errors[i] }
            return max(0, low + slope * (errors[i] - errors[fine]))
        }
    }
}

/// A text as an original predicts it, to measure others against.
final class DivergenceReference {
    private let first: TextScorer
    private let pieces: [[KeptDistribution]]
    private let pieceLength: Int
    private let threadCount: Int?

    /// Computes the text once.
    init(
        _ file: GGUFFile, text: [UInt8], parsesSpecialTokens: Bool, pieceLength: Int, maximumPieces: Int,
        threadCount: Int?,
        keptTokenCount: Int = 512
    ) throws {
        first = try TextScorer(
            file, text: text, parsesSpecialTokens: parsesSpecialTokens, pieceLength: pieceLength,
            threadCount: threadCount)
        self.pieceLength = pieceLength
        self.threadCount = threadCount
        let total = min(maximumPieces, first.pieceCount)
        guard total > 0 else { throw QuantizationError(.invalidOptions, "at least one piece is measured") }
        var pieces: [[KeptDistribution]] = []
        while pieces.count < total {
            var kept: [KeptDistribution] = []
            guard try first.next({ kept.append(KeptDistribution($1, target: $0, count: keptTokenCount)) }) else {
                break
            }
            pieces.append(kept)
        }
        self.pieces = pieces
    }

    /// The mean divergence of a model of the same vocabulary.
    func divergence(of file: GGUFFile) throws -> Double {
        let scorer = try TextScorer(file, like: first, pieceLength: pieceLength, threadCount: threadCount)
        var sums = ComparisonSums(pieceLength: pieceLength)
        for kept in pieces {
            var piece = ComparisonSums.Piece()
            guard try scorer.next({ piece.add(kept[piece.count], $1) }) else { break }
            sums.add(piece)
        }
        let divergence = sums.result.divergence.value
        // A type in which the model computes nothing is the worst of all.
        return divergence.isFinite ? divergence : .greatestFiniteMagnitude
    }
}
