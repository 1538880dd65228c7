package import EdgeGGUF
internal import EdgeKernels
internal import EdgePlatform
internal import EdgeQuant
internal import Synchronization

/// A change of a model's matrices by products of two thin ones (Hu et al. 2021, "LoRA"): W becomes W + s B A.
///
/// Read from a GGUF file as llama.cpp's converter writes it: for a tensor `X` the factors `X.lora_a` and `X.lora_b`. The model's
/// weights stay as they are and stay shared; the pass adds s B (A x) to what it multiplies. s is alpha over the rank, or 1 where
/// alpha is 0, times the scale that whoever applies the adapter chooses.
package final class LoRAAdapter: Sendable {
    /// The model whose matrices it changes.
    package let model: Model
    /// A number that no other adapter of this process has.
    package let number = nextNumber.wrappingAdd(1, ordering: .relaxed).newValue
    /// What tells its file from those of other adapters.
    package let fingerprint: UInt64
    private static let nextNumber = Atomic<UInt64>(0)
    /// `general.name`.
    package let name: String?
    /// `adapter.lora.alpha`; 0 for none.
    package let alpha: Float
    /// Bytes of its file.
    package let byteCount: Int
    /// By the name of the model's tensor.
    let factors: [String: LowRankFactors]
    /// Of `token_embd.weight`, whose factors lie the other way round.
    let embedding: EmbeddingFactors?

    /// Checks an adapter's file against a model.
    ///
    /// - Throws: `ModelError` naming the key or tensor: `adapterMismatch` when it was made for another model, or changes
    ///   a tensor that cannot be changed at run time.
    package init(_ file: GGUFFile, for model: Model) throws(ModelError) {
        let metadata = MetadataReader(file: file)
        try Self.check(metadata, "general.type", is: "adapter", "the file is no adapter")
        try Self.check(metadata, "adapter.type", is: "lora", "adapters of other types are not supported")
        let architecture = try metadata.string("general.architecture")
        guard architecture == model.hyperparameters.architecture.name else {
            throw ModelError(
                .adapterMismatch,
                "the adapter was made for '\(architecture)', but the model is '\(model.hyperparameters.architecture.name)'",
                key: "general.architecture")
        }
        let invocation = "adapter.alora.invocation_tokens"
        guard file.metadata[invocation] == nil else {
            throw ModelError(
                .adapterMismatch, "adapters that act only after certain tokens are not supported", key: invocation)
        }
        alpha = try metadata.optionalFloat("adapter.lora.alpha") ?? 0
        self.model = model
        name = try metadata.optionalString("general.name")
        byteCount = file.byteCount
        fingerprint = file.fingerprint

        let targets = AdapterTargets(model)
        var factors: [String: LowRankFactors] = [:]
        var embedding: EmbeddingFactors?
        for (target, a, b) in try Self.pairs(file) {
            if target == AdapterTargets.embedding {
                embedding = try EmbeddingFactors(a, b, target, alpha: alpha, targets)
            } else {
                factors[target] = try LowRankFactors(a, b, target, alpha: alpha, targets)
            }
        }
        guard !factors.isEmpty || embedding != nil else {
            throw ModelError(.adapterMismatch, "the adapter changes nothing: it has no tensors")
        }
        self.factors = factors
        self.embedding = embedding
    }

    private static func check(
        _ metadata: MetadataReader, _ key: String, is wanted: String, _ reason: String
    ) throws(ModelError) {
        let found = try metadata.string(key)
        guard found == wanted else {
            throw ModelError(.invalidMetadata, "'\(found)' instead of '\(wanted)': \(reason)", key: key)
        }
    }

    /// The two factors of each tensor that is changed, in the order of the file.
    private static func pairs(_ file: GGUFFile) throws(ModelError) -> [(target: String, a: GGUFTensor, b: GGUFTensor)] {
        let suffixes = (a: ".lora_a", b: ".lora_b")
        var result: [(String, GGUFTensor, GGUFTensor)] = []
        for tensor in file.tensors {
            if tensor.name.hasSuffix(suffixes.a) {
                let target = String(tensor.name.dropLast(suffixes.a.count))
                guard let b = file.tensor(named: target + suffixes.b) else {
                    throw ModelError(.missingTensor, "the adapter has no such tensor", tensor: target + suffixes.b)
                }
                result.append((target, tensor, b))
            } else if tensor.name.hasSuffix(suffixes.b) {
                let other = String(tensor.name.dropLast(suffixes.b.count)) + suffixes.a
                guard file.tensor(named: other) != nil else {
                    throw ModelError(.missingTensor, "the adapter has no such tensor", tensor: other)
                }
            } else {
                // Converters put in whole norms, which others pass over; without them the model would be another.
                throw ModelError(
                    .adapterMismatch, "is neither a .lora_a nor a .lora_b; whole tensors are not supported",
                    tensor: tensor.name)
            }
        }
        return result
    }
}

/// An adapter in use, and how strongly: 1 as it was trained, 0 not at all, below 0 the other way.
package struct AppliedAdapter: Sendable, Equatable {
    package let adapter: LoRAAdapter
    package let scale: Float

    package init(_ adapter: LoRAAdapter, scale: Float = 1) {
        self.adapter = adapter
        self.scale = scale
    }

    package static func == (left: AppliedAdapter, right: AppliedAdapter) -> Bool {
        left.adapter === right.adapter && left.scale == right.scale
    }
}

/// The factors of one tensor.
struct LowRankFactors: Sendable {
    /// [rank, inputs], and [outputs, rank]: one of each, or one for each expert.
    let a: [Matrix]
    let b: [Matrix]
    /// alpha / rank, or 1.
    let scale: Float

    var rank: Int { a[0].rowCount }

    init(a: [Matrix], b: [Matrix], scale: Float) {
        self.a = a
        self.b = b
        self.scale = scale
    }

    fileprivate init(
        _ a: GGUFTensor, _ b: GGUFTensor, _ target: String, alpha: Float, _ targets: AdapterTargets
    ) throws(ModelError) {
        let shape = try targets.shape(of: target)
        let rank = try targets.rank(a.padded(to: 2)[1], a)
        let isOfExperts = shape.count == 3
        let experts = isOfExperts ? shape[2] : 1
        try a.require([shape[0], rank] + (isOfExperts ? [experts] : []))
        try b.require([rank, shape[1]] + (isOfExperts ? [experts] : []))
        self.a = try a.matrices(experts, rows: rank, columns: shape[0])
        self.b = try b.matrices(experts, rows: shape[1], columns: rank)
        scale = alpha == 0 ? 1 : alpha / Float(rank)
    }
}

/// The factors of the embedding: a row of `a` for each token, so that a token's change is b times its row.
struct EmbeddingFactors: Sendable {
    /// [vocabulary, rank].
    let a: Matrix
    /// [embeddingLength, rank].
    let b: Matrix
    let scale: Float
    /// The same change of the output, where that is the embedding.
    let output: LowRankFactors?

    fileprivate init(
        _ a: GGUFTensor, _ b: GGUFTensor, _ target: String, alpha: Float, _ targets: AdapterTargets
    ) throws(ModelError) {
        let shape = try targets.shape(of: target)
        let rank = try targets.rank(a.padded(to: 2)[0], a)
        try a.require([rank, shape[1]])
        try b.require([rank, shape[0]])
        self.a = try a.matrices(1, rows: shape[1], columns: rank)[0]
        self.b = try b.matrices(1, rows: shape[0], columns: rank)[0]
        scale = alpha == 0 ? 1 : alpha / Float(rank)
        output =
            targets.isTied
            ? LowRankFactors(
                a: [try b.transposed(rows: shape[0], columns: rank)], b: [self.a], scale: scale) : nil
    }
}

extension GGUFTensor {
    /// The dimensions, with ones behind them.
    fileprivate func padded(to count: Int) -> [Int] {
        dimensions + Array(repeating: 1, count: max(0, count - dimensions.count))
    }

    fileprivate func require(_ wanted: [Int]) throws(ModelError) {
        guard padded(to: 4) == wanted + Array(repeating: 1, count: 4 - wanted.count) else {
            throw ModelError(
                .tensorShapeMismatch,
                "has shape \(dimensions), but the model's tensor and the other factor ask for \(wanted)", tensor: name)
        }
    }

    /// Matrices that lie one after the other.
    fileprivate func matrices(_ count: Int, rows: Int, columns: Int) throws(ModelError) -> [Matrix] {
        guard type.isWeightType else {
            throw ModelError(
                .unsupportedTensorType, "type \(type.name) stores integers, not weights", tensor: name)
        }
        let bytes = bytes
        let size = bytes.count / count
        var result: [Matrix] = []
        for index in 0..<count {
            guard let part = bytes.slice(at: index * size, byteCount: size),
                let matrix = Matrix(type: type, rowCount: rows, columnCount: columns, bytes: part)
            else {
                throw ModelError(
                    .tensorShapeMismatch,
                    "\(bytes.count) bytes are not \(count) times \(rows) rows of \(columns) \(type.name) values",
                    tensor: name)
            }
            result.append(matrix)
        }
        return result
    }

    /// The matrix whose rows are this one's columns, in f32.
    fileprivate func transposed(rows: Int, columns: Int) throws(ModelError) -> Matrix {
        let values: [Float]
        do throws(QuantError) { values = try type.decode(bytes.copied()) } catch {
            throw ModelError(.unsupportedTensorType, "\(error)", tensor: name)
        }
        var turned: [UInt8] = []
        turned.reserveCapacity(4 * values.count)
        for column in 0..<columns {
            for row in 0..<rows {
                let bits = values[row * columns + column].bitPattern
                for shift in stride(from: UInt32(0), to: 32, by: 8) {
                    turned.append(UInt8(truncatingIfNeeded: bits >> shift))
                }
            }
        }
        guard let matrix = Matrix(type: .f32, rowCount: columns, columnCount: rows, bytes: ByteView(turned)) else {
            throw ModelError(.tensorShapeMismatch, "cannot be turned round", tensor: name)
        }
        return matrix
    }
}
