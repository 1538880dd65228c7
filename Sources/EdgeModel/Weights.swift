internal import EdgeGGUF
package import EdgeKernels
internal import EdgePlatform
internal import EdgeQuant

/// A linear map: a matrix, and a bias where the file has one.
package struct Linear: Sendable {
    package let matrix: Matrix
    package let bias: Vector?
}

/// The weights of one layer, by the names GGUF gives them (`blk.N.…`).
package struct LayerWeights: Sendable {
    /// What the architecture's `NormPlacement` puts before a branch and behind it.
    package let attentionNorm: Norm?
    package let attentionPostNorm: Norm?
    package let query: Linear
    package let key: Linear
    package let value: Linear
    /// As long as one head, or as all together.
    package let queryNorm: Norm?
    package let keyNorm: Norm?
    package let attentionOutput: Linear
    package let feedForwardNorm: Norm?
    package let feedForwardPostNorm: Norm?
    package let feedForward: FeedForward

    package enum FeedForward: Sendable {
        /// down(f(gate x) * (up x)); without a gate down(f(up x)).
        case dense(gate: Linear?, up: Linear, down: Linear)
        /// A router chooses experts for each token (Shazeer et al. 2017; Jiang et al. 2024, "Mixtral").
        case experts(router: Linear, gate: [Matrix], up: [Matrix], down: [Matrix])
    }
}

/// Divisors of the rotary frequencies.
package enum RotaryFactors: Sendable {
    case none
    /// `rope_freqs.weight` (Llama 3.1).
    case always(Vector)
    /// `rope_factors_short.weight` up to the original context, `rope_factors_long.weight` beyond (Phi 3).
    case byContext(short: Vector, long: Vector)
}

/// In what blocks the matrices of a layer want their inputs quantized; empty where they read f32.
struct LayerBlocks {
    let attention: ActivationBlocks
    let attentionOutput: ActivationBlocks
    let feedForward: ActivationBlocks
    let down: ActivationBlocks

    init(_ layer: LayerWeights) {
        func union(_ matrices: [Matrix]) -> ActivationBlocks { matrices.reduce([]) { $0.union($1.activationBlocks) } }
        attention = union([layer.query.matrix, layer.key.matrix, layer.value.matrix])
        attentionOutput = layer.attentionOutput.matrix.activationBlocks
        switch layer.feedForward {
        case .dense(let gate, let up, let down):
            feedForward = union([up.matrix] + (gate.map { [$0.matrix] } ?? []))
            self.down = down.matrix.activationBlocks
        case .experts(let router, let gates, let ups, let downs):
            feedForward = union([router.matrix] + gates + ups)
            down = union(downs)
        }
    }
}

/// What makes scores of a vector (RoBERTa's head for classification): output(tanh(dense x)), either of them if there is only one.
package struct Classifier: Sendable {
    /// `cls`.
    package let dense: Linear?
    /// `cls.output`.
    package let output: Linear?

    /// Nil where the file's pooling asks for no scores.
    init?(_ binder: TensorBinder, _ shape: Hyperparameters) throws(ModelError) {
        guard shape.pooling == .rank else { return nil }
        let width = shape.embeddingLength
        let labels = shape.labelCount
        guard labels <= width else {
            throw ModelError(
                .invalidMetadata, "\(labels) labels from vectors of \(width) values are not supported",
                key: shape.architecture.name + ".classifier.output_labels")
        }
        output = binder.has("cls.output.weight") ? try binder.linear("cls.output", rows: labels, columns: width) : nil
        guard output == nil || binder.has("cls.weight") else {
            dense = nil
            return
        }
        dense = try binder.linear("cls", rows: output == nil ? labels : width, columns: width)
    }
}

/// All weights of a model, mapped in place except for the small vectors.
package struct Weights: Sendable {
    /// [vocabulary, embeddingLength]: a row a token.
    package let tokenEmbedding: Matrix
    /// [positions, embeddingLength], where positions are learned vectors.
    package let positionEmbedding: Matrix?
    /// [kinds, embeddingLength], of which every token is of kind 0.
    package let typeEmbedding: Matrix?
    package let embeddingNorm: Norm?
    package let outputNorm: Norm?
    /// [vocabulary, embeddingLength]; the embedding itself where the file has no `output.weight`; nil for encoders.
    package let output: Linear?
    package let rotaryFactors: RotaryFactors
    /// Of rerankers.
    package let classifier: Classifier?
    package internal(set) var layers: [LayerWeights]

    init(_ file: GGUFFile, _ shape: Hyperparameters) throws(ModelError) {
        let binder = TensorBinder(file: file)
        let architecture = shape.architecture
        let width = shape.embeddingLength
        tokenEmbedding = try binder.table("token_embd.weight", columns: width)
        positionEmbedding =
            architecture.rotaryPairs == nil ? try binder.table("position_embd.weight", columns: width) : nil
        typeEmbedding =
            architecture.isEncoder && binder.has("token_types.weight")
            ? try binder.table("token_types.weight", columns: width) : nil
        embeddingNorm = architecture.isEncoder ? try binder.norm("token_embd_norm", count: width, shape) : nil
        outputNorm = architecture.isEncoder ? nil : try binder.norm("output_norm", count: width, shape)
        if architecture.isEncoder {
            output = nil
        } else if binder.has("output.weight") {
            output = try binder.linear("output", rows: tokenEmbedding.rowCount, columns: width)
        } else {
            output = Linear(matrix: tokenEmbedding, bias: nil)
        }
        rotaryFactors = try Self.rotaryFactors(binder, shape.rotary)
        classifier = try Classifier(binder, shape)
        var layers: [LayerWeights] = []
        for index in 0..<shape.blockCount { layers.append(try LayerWeights(binder, shape, index)) }
        self.layers = layers
    }

    private static func rotaryFactors(_ binder: TensorBinder, _ rotary: RotaryScaling?) throws(ModelError)
        -> RotaryFactors
    {
        guard let rotary else { return .none }
        let count = rotary.dimensionCount / 2
        if binder.has("rope_freqs.weight") { return .always(try binder.vector("rope_freqs.weight", count: count)) }
        guard binder.has("rope_factors_long.weight") || binder.has("rope_factors_short.weight") else { return .none }
        return .byContext(
            short: try binder.vector("rope_factors_short.weight", count: count),
            long: try binder.vector("rope_factors_long.weight", count: count))
    }
}

extension LayerWeights {
    init(_ binder: TensorBinder, _ shape: Hyperparameters, _ index: Int) throws(ModelError) {
        let block = "blk.\(index)."
        let width = shape.embeddingLength
        let queryWidth = shape.headCount * shape.headSize
        let keyWidth = shape.keyValueHeadCount * shape.headSize

        func norm(_ name: String, _ places: Architecture.NormPlacement...) throws(ModelError) -> Norm? {
            guard places.contains(shape.architecture.normPlacement) else { return nil }
            return try binder.norm(block + name, count: width, shape)
        }
        attentionNorm = try norm("attn_norm", .before, .beforeAndAfter)
        feedForwardNorm = try norm("ffn_norm", .before, .beforeAndAfter)
        if shape.architecture.normPlacement == .afterSum {
            attentionPostNorm = try norm("attn_output_norm", .afterSum)
            feedForwardPostNorm = try norm("layer_output_norm", .afterSum)
        } else {
            attentionPostNorm = try norm("post_attention_norm", .after, .beforeAndAfter)
            feedForwardPostNorm = try norm("post_ffw_norm", .after, .beforeAndAfter)
        }
        if binder.has(block + "attn_qkv.weight") {
            let parts = try binder.fused(block + "attn_qkv", rows: [queryWidth, keyWidth, keyWidth], columns: width)
            (query, key, value) = (parts[0], parts[1], parts[2])
        } else {
            query = try binder.linear(block + "attn_q", rows: queryWidth, columns: width)
            key = try binder.linear(block + "attn_k", rows: keyWidth, columns: width)
            value = try binder.linear(block + "attn_v", rows: keyWidth, columns: width)
        }
        attentionOutput = try binder.linear(block + "attn_output", rows: width, columns: queryWidth)
        switch shape.architecture.headNorm {
        case .none:
            try binder.refuse(block + "attn_q_norm.weight")
            (queryNorm, keyNorm) = (nil, nil)
        case .eachHead:
            queryNorm = try binder.norm(block + "attn_q_norm", count: shape.headSize, shape)
            keyNorm = try binder.norm(block + "attn_k_norm", count: shape.headSize, shape)
        case .allHeads:
            queryNorm = try binder.norm(block + "attn_q_norm", count: queryWidth, shape)
            keyNorm = try binder.norm(block + "attn_k_norm", count: keyWidth, shape)
        }
        feedForward = try FeedForward(binder, shape, block)
    }
}

extension LayerWeights.FeedForward {
    fileprivate init(_ binder: TensorBinder, _ shape: Hyperparameters, _ block: String) throws(ModelError) {
        let width = shape.embeddingLength
        let inner = shape.feedForwardLength
        try binder.refuse(block + "ffn_up_shexp.weight")
        guard shape.expertCount == 0 else {
            let experts = shape.expertCount
            self = .experts(
                router: try binder.linear(block + "ffn_gate_inp", rows: experts, columns: width),
                gate: try binder.experts(block + "ffn_gate", count: experts, rows: inner, columns: width),
                up: try binder.experts(block + "ffn_up", count: experts, rows: inner, columns: width),
                down: try binder.experts(block + "ffn_down", count: experts, rows: width, columns: inner))
            return
        }
        if shape.architecture.isGated, !binder.has(block + "ffn_gate.weight"),
            binder.rowCount(block + "ffn_up.weight") == 2 * inner
        {
            // The gate's rows come first.
            let parts = try binder.fused(block + "ffn_up", rows: [inner, inner], columns: width)
            self = .dense(
                gate: parts[0], up: parts[1],
                down: try binder.linear(block + "ffn_down", rows: width, columns: inner))
            return
        }
        self = .dense(
            gate: shape.architecture.isGated
                ? try binder.linear(block + "ffn_gate", rows: inner, columns: width) : nil,
            up: try binder.linear(block + "ffn_up", rows: inner, columns: width),
            down: try binder.linear(block + "ffn_down", rows: width, columns: inner))
    }
}

/// Finds tensors by name and checks their shapes and types, so that nothing later needs to.
struct TensorBinder {
    let file: GGUFFile

    func has(_ name: String) -> Bool { file.tensor(named: name) != nil }

    private func tensor(_ name: String) throws(ModelError) -> GGUFTensor {
        guard let tensor = file.tensor(named: name) else {
            throw ModelError(.missingTensor, "the file has no such tensor", tensor: name)
        }
        return tensor
    }

    /// The second dimension of a tensor, if there is such a tensor and it has two.
    func rowCount(_ name: String) -> Int? {
        guard let dimensions = file.tensor(named: name)?.dimensions, dimensions.count == 2 else { return nil }
        return dimensions[1]
    }

    /// A matrix of as many rows as it has: what ids or positions are looked up in.
    func table(_ name: String, columns: Int) throws(ModelError) -> Matrix {
        let dimensions = try tensor(name).dimensions
        guard dimensions.count == 2, dimensions[0] == columns, (1...Int(Int32.max)).contains(dimensions[1]) else {
            throw shapeError(name, dimensions, expected: [columns, "rows"])
        }
        return try matrix(name, rows: dimensions[1], columns: columns)
    }

    /// Fails where the file has a tensor that belongs to a variant that is not supported: without it the model would be another.
    func refuse(_ name: String) throws(ModelError) {
        guard has(name) else { return }
        throw ModelError(.unsupportedArchitecture, "this variant of the architecture is not supported", tensor: name)
    }

    /// `name.weight`, with `name.bias` where there is one.
    func norm(_ name: String, count: Int, _ shape: Hyperparameters) throws(ModelError) -> Norm {
        Norm(
            kind: shape.architecture.norm, weight: try vector(name + ".weight", count: count),
            bias: has(name + ".bias") ? try vector(name + ".bias", count: count) : nil, epsilon: shape.normEpsilon)
    }

    /// Linear maps that lie one after the other in one matrix, each sharing its rows and having its part of the bias.
    func fused(_ name: String, rows parts: [Int], columns: Int) throws(ModelError) -> [Linear] {
        let total = parts.reduce(0, +)
        let whole = try matrix(name + ".weight", rows: total, columns: columns)
        let bias = has(name + ".bias") ? try vector(name + ".bias", count: total).values : nil
        var result: [Linear] = []
        var start = 0
        for count in parts {
            guard let part = whole.slice(rows: start..<start + count) else {
                throw ModelError(.truncated, "the data ends early", tensor: name + ".weight")
            }
            var partOfBias: Vector?
            if let bias { partOfBias = try made(Array(bias[start..<start + count]), name + ".bias") }
            result.append(Linear(matrix: part, bias: partOfBias))
            start += count
        }
        return result
    }

    /// A matrix of `rows` outputs and `columns` inputs: GGUF dimensions [columns, rows].
    func matrix(_ name: String, rows: Int, columns: Int) throws(ModelError) -> Matrix {
        let tensor = try tensor(name)
        guard tensor.dimensions == [columns, rows] else {
            throw shapeError(name, tensor.dimensions, expected: [columns, rows])
        }
        return try matrix(tensor, bytes: tensor.bytes, rows: rows, columns: columns)
    }

    private func matrix(_ tensor: GGUFTensor, bytes: ByteView, rows: Int, columns: Int) throws(ModelError) -> Matrix {
        guard tensor.type.isWeightType else {
            throw ModelError(
                .unsupportedTensorType, "type \(tensor.type.name) stores integers, not weights", tensor: tensor.name)
        }
        guard let matrix = Matrix(type: tensor.type, rowCount: rows, columnCount: columns, bytes: bytes) else {
            throw ModelError(
                .tensorShapeMismatch,
                "\(bytes.count) bytes are not \(rows) rows of \(columns) \(tensor.type.name) values",
                tensor: tensor.name)
        }
        return matrix
    }

    /// `name.weight`, with `name.bias` where there is one.
    func linear(_ name: String, rows: Int, columns: Int) throws(ModelError) -> Linear {
        Linear(
            matrix: try matrix(name + ".weight", rows: rows, columns: columns),
            bias: has(name + ".bias") ? try vector(name + ".bias", count: rows) : nil)
    }

    /// The experts' matrices: one tensor `name_exps.weight` of three dimensions, or, in the first Mixtral files, one tensor
    /// `name.E.weight` each.
    func experts(_ name: String, count: Int, rows: Int, columns: Int) throws(ModelError) -> [Matrix] {
        let merged = name + "_exps.weight"
        var matrices: [Matrix] = []
        guard let tensor = file.tensor(named: merged) else {
            guard has(name + ".0.weight") else {
                throw ModelError(.missingTensor, "the file has no such tensor", tensor: merged)
            }
            for expert in 0..<count {
                matrices.append(try matrix("\(name).\(expert).weight", rows: rows, columns: columns))
            }
            return matrices
        }
        guard tensor.dimensions == [columns, rows, count] else {
            throw shapeError(merged, tensor.dimensions, expected: [columns, rows, count])
        }
        let bytes = tensor.bytes
        let size = bytes.count / count
        for expert in 0..<count {
            guard let part = bytes.slice(at: expert * size, byteCount: size) else {
                throw ModelError(.truncated, "the data ends early", tensor: merged)
            }
            matrices.append(try matrix(tensor, bytes: part, rows: rows, columns: columns))
        }
        return matrices
    }

    /// A vector of `count` values of any float type, decoded.
    func vector(_ name: String, count: Int) throws(ModelError) -> Vector {
        let tensor = try tensor(name)
        guard tensor.dimensions == [count] || tensor.dimensions == [count, 1] else {
            throw shapeError(name, tensor.dimensions, expected: [count])
        }
        guard tensor.type.isWeightType else {
            throw ModelError(
                .unsupportedTensorType, "type \(tensor.type.name) stores integers, not weights", tensor: name)
        }
        let values: [Float]
        do throws(QuantError) { values = try tensor.type.decode(tensor.bytes.copied()) } catch {
            throw ModelError(.unsupportedTensorType, "\(error)", tensor: name)
        }
        return try made(values, name)
    }

    private func made(_ values: [Float], _ name: String) throws(ModelError) -> Vector {
        do throws(PlatformError) {
            return try Vector(values)
        } catch {
            throw ModelError(.insufficientMemory, "\(error)", tensor: name)
        }
    }

    private func shapeError(_ name: String, _ found: [Int], expected: [any CustomStringConvertible]) -> ModelError {
        let wanted = expected.map(\.description).joined(separator: ", ")
        return ModelError(
            .tensorShapeMismatch, "has shape \(found), but the metadata asks for [\(wanted)]", tensor: name)
    }
}

extension GGMLType {
    /// Whether the type holds numbers that a model multiplies with.
    var isWeightType: Bool {
        switch self {
        case .i8, .i16, .i32, .i64: false
        default: true
        }
    }
}
