package import EdgeGGUF
internal import EdgeMath
package import EdgeQuant

/// Makes columns that matter larger before they are rounded, and what feeds them smaller by as much (Lin et al. 2023, "AWQ"): the model
/// computes the same, but the errors fall where inputs are small.
///
/// Inputs that can be scaled are those behind a norm (of attention and of the feed-forward part), the values that attention mixes, and what
/// a gated feed-forward part sends down. For each of them the scales are powers of the inputs' size, with the exponent, 0 to 1 in steps of
/// a twentieth, that leaves the least error in samples of the rows, in the types that the tensors get. Experts are passed over.
///
/// An adapter (LoRA) that was made for the original does not fit a scaled model, as the inputs are others.
public struct ActivationScaling: Sendable {
    /// The mean squares of inputs.
    let importance: ImportanceMatrix

    /// The exponent for all inputs; nil for the best of each.
    let exponent: Double?

    /// Scaling by inputs as they were measured on a text.
    ///
    /// - Parameter exponent: 0 (no scaling) to 1 (inputs of one size) for all inputs; nil for the best of each.
    public init(_ importance: ImportanceMatrix, exponent: Double? = nil) {
        self.importance = importance
        self.exponent = exponent
    }

    /// Exponents that are tried.
    private static let steps = 20

    /// What each tensor is multiplied with, for the types that tensors get.
    ///
    /// - Throws: `QuantizationError.invalidImportance` where nothing can be scaled; what reading throws.
    package func scales(
        for file: GGUFFile, types: [String: GGMLType], importance weights: ImportanceMatrix?,
        includingQuantized: Bool = false, engine: QuantizationEngine
    ) throws -> [String: WeightScale] {
        var result: [String: WeightScale] = [:]
        var isMeasured = false
        for input in ScaledInput.all(of: file) where includingQuantized || input.isFloat {
            try Task.checkCancellation()
            guard let first = input.readers.first, let squares = importance.values(for: first.name),
                squares.count == first.dimensions[0]
            else { continue }
            isMeasured = true
            let shared = input.shared(squares)
            var scales = Self.scales(shared, exponent: exponent ?? 0)
            if exponent == nil {
                let tried = (0...Self.steps).map { Self.scales(shared, exponent: Double($0) / Double(Self.steps)) }
                scales = tried[try best(of: tried.map(input.spread), for: input, squares, types, weights, engine)]
            }
            guard scales.contains(where: { $0 != 1 }) else { continue }
            let columns = input.spread(scales)
            for reader in input.readers { result[reader.name, default: .init()].columns = columns }
            let inverse = scales.map { 1 / $0 }
            for maker in input.makers { result[maker.tensor.name, default: .init()].shrink(maker, by: inverse) }
        }
        guard isMeasured else {
            throw QuantizationError(
                .invalidImportance,
                "nothing can be scaled: no input of this model was measured and stands behind float weights")
        }
        return result
    }

    /// Which of some scales of an input's columns leaves the least error.
    private func best(
        of tried: [[Float]], for input: ScaledInput, _ squares: [Float], _ types: [String: GGMLType],
        _ weights: ImportanceMatrix?, _ engine: QuantizationEngine
    ) throws -> Int {
        var errors = [Double](repeating: 0, count: tried.count)
        for reader in input.readers {
            // Weights that stay floats are scaled for what is made of them later.
            let type = types[reader.name] ?? reader.type
            let found = try engine.errors(
                of: reader, in: type.blockLength > 1 ? type : .q4_0, scales: tried, squares: squares,
                importance: weights?.values(for: reader.name))
            for i in errors.indices { errors[i] += found[i] }
        }
        return errors.indices.min { errors[$0] < errors[$1] } ?? 0
    }

    /// Powers of the inputs' sizes, around 1.
    private static func scales(_ squares: [Float], exponent: Double) -> [Float] {
        let largest = Double(squares.max() ?? 0)
        guard exponent > 0, largest > 0 else { return squares.map { _ in 1 } }
        // Inputs of nothing count as small ones: a ten-thousandth of the largest size.
        let powers = squares.map {
            Deterministic.exponential(
                exponent / 2 * Deterministic.logarithm(max(Double($0), largest * 1e-8)))
        }
        let middle = ((powers.max() ?? 1) * (powers.min() ?? 1)).squareRoot()
        return powers.map { Float($0 / middle) }
    }
}

/// What the values of a tensor are multiplied with.
package struct WeightScale: Sendable, Equatable {
    /// By column, or by value of a tensor of one dimension.
    package var columns: [Float]?
    /// By row, from the first on; rows beyond them stay.
    package var rows: [Float]?

    /// Takes what a maker must shrink by.
    fileprivate mutating func shrink(_ maker: ScaledInput.Maker, by inverse: [Float]) {
        if maker.tensor.dimensions.count == 1 {
            columns = [Float](repeating: 1, count: maker.first) + inverse
        } else {
            rows = [Float](repeating: 1, count: maker.first) + inverse
        }
    }

    /// Scales some whole rows.
    ///
    /// - Parameter row: the number of the first.
    func apply(to values: inout [Float], columnCount: Int, firstRow row: Int) {
        for start in stride(from: 0, to: values.count, by: columnCount) {
            let number = row + start / columnCount
            let scale = rows.map { number < $0.count ? $0[number] : 1 } ?? 1
            if let columns {
                for i in 0..<min(columnCount, columns.count) { values[start + i] *= columns[i] * scale }
            } else if scale != 1 {
                for i in start..<start + columnCount { values[i] *= scale }
            }
        }
    }

    /// The importance of scaled columns, whose inputs are smaller.
    func importance(_ values: [Float]?) -> [Float]? {
        guard let values, let columns, columns.count == values.count else { return values }
        return zip(values, columns).map { $0 / ($1 * $1) }
    }

    /// U of H⁻¹ = Uᵀ U for scaled columns: with inputs S⁻¹ x, H⁻¹ becomes S Uᵀ U S.
    func factor(_ values: [Double]?) -> [Double]? {
        guard let values, let columns, columns.count * columns.count == values.count else { return values }
        var scaled = values
        for row in columns.indices {
            for i in row..<columns.count { scaled[row * columns.count + i] *= Double(columns[i]) }
        }
        return scaled
    }
}

/// An input that can be scaled.
struct ScaledInput {
    /// A tensor whose rows (or values) make the input, from one of them on.
    struct Maker {
        let tensor: GGUFTensor
        var first = 0
    }

    /// The matrices that are multiplied with it.
    let readers: [GGUFTensor]
    /// What makes it.
    let makers: [Maker]
    /// Where several query heads read one value head: heads of a group, values of a head.
    var groups: (heads: Int, size: Int)?

    /// Whether no tensor of it has been quantized.
    var isFloat: Bool { (readers + makers.map(\.tensor)).allSatisfy { [.f32, .f16, .bf16].contains($0.type) } }

    /// Means over the heads that share a scale.
    func shared(_ values: [Float]) -> [Float] {
        guard let groups, groups.heads > 1 else { return values }
        return (0..<values.count / groups.heads).map { i in
            let first = i / groups.size * groups.heads * groups.size + i % groups.size
            return (0..<groups.heads).reduce(Float(0)) { $0 + values[first + $1 * groups.size] } / Float(groups.heads)
        }
    }

    /// A scale for each column.
    func spread(_ scales: [Float]) -> [Float] {
        guard let groups, groups.heads > 1 else { return scales }
        return (0..<scales.count * groups.heads).map {
            scales[$0 / groups.size / groups.heads * groups.size + $0 % groups.size]
        }
    }

    /// Those of a model, layer by layer.
    static func all(of file: GGUFFile) -> [ScaledInput] {
        (0..<file.layerCount).flatMap { layer in
            let find = { (part: String) -> GGUFTensor? in file.tensor(named: "blk.\(layer).\(part)") }
            return [attention(find), mixed(find, file), feedForward(find), down(find)].compactMap { $0 }
        }
    }

    private typealias Find = (String) -> GGUFTensor?

    private static func matrices(_ find: Find, _ parts: [String]) -> [GGUFTensor] {
        parts.compactMap { find($0 + ".weight") }.filter { $0.dimensions.count == 2 }
    }

    /// A weight and its bias, from a row on.
    private static func makers(_ find: Find, _ part: String, from first: Int = 0) -> [Maker] {
        [".weight", ".bias"].compactMap { find(part + $0) }.map { Maker(tensor: $0, first: first) }
    }

    /// Behind attention's norm; without a norm of its own the feed-forward part reads it too, and it stays.
    private static func attention(_ find: Find) -> ScaledInput? {
        guard find("ffn_norm.weight") != nil else { return nil }
        return behind("attn_norm", matrices(find, ["attn_q", "attn_k", "attn_v", "attn_qkv"]), find)
    }

    /// Behind the feed-forward part's norm, unless experts are chosen by it.
    private static func feedForward(_ find: Find) -> ScaledInput? {
        guard find("ffn_gate_inp.weight") == nil else { return nil }
        return behind("ffn_norm", matrices(find, ["ffn_gate", "ffn_up"]), find)
    }

    private static func behind(_ norm: String, _ readers: [GGUFTensor], _ find: Find) -> ScaledInput? {
        guard let first = readers.first, let weight = find(norm + ".weight"),
            weight.dimensions == [first.dimensions[0]],
            readers.allSatisfy({ $0.dimensions[0] == first.dimensions[0] })
        else { return nil }
        return ScaledInput(readers: readers, makers: makers(find, norm))
    }

    /// What attention mixes of the values.
    private static func mixed(_ find: Find, _ file: GGUFFile) -> ScaledInput? {
        guard let architecture = file["general.architecture"]?.text,
            let heads = file[architecture + ".attention.head_count"]?.int, heads > 0,
            let reader = matrices(find, ["attn_output"]).first, reader.dimensions[0] % heads == 0
        else { return nil }
        let valueHeads = file[architecture + ".attention.head_count_kv"]?.int ?? heads
        let size = reader.dimensions[0] / heads
        guard valueHeads > 0, heads % valueHeads == 0 else { return nil }
        let rows = valueHeads * size
        let makers: [Maker]
        if let values = matrices(find, ["attn_v"]).first, values.dimensions[1] == rows {
            makers = Self.makers(find, "attn_v")
        } else if let fused = matrices(find, ["attn_qkv"]).first, fused.dimensions[1] == reader.dimensions[0] + 2 * rows
        {
            makers = Self.makers(find, "attn_qkv", from: reader.dimensions[0] + rows)
        } else {
            return nil
        }
        return ScaledInput(readers: [reader], makers: makers, groups: (heads / valueHeads, size))
    }

    /// What a gate lets through of the feed-forward part; in one matrix with the gate, it is the second half.
    private static func down(_ find: Find) -> ScaledInput? {
        guard let reader = matrices(find, ["ffn_down"]).first, let up = matrices(find, ["ffn_up"]).first else {
            return nil
        }
        let inner = reader.dimensions[0]
        let isFused = find("ffn_gate.weight") == nil
        guard up.dimensions[1] == (isFused ? 2 * inner : inner) else { return nil }
        return ScaledInput(readers: [reader], makers: makers(find, "ffn_up", from: isFused ? inner : 0))
    }
}
