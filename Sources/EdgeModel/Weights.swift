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
    package let attentionNorm: Vector
    package let query: Linear
    package let key: Linear
    package let value: Linear
    package let attentionOutput: Linear
    package let feedForwardNorm: Vector
    package let feedForward: FeedForward

    package enum FeedForward: Sendable {
        case dense(gate: Linear, up: Linear, down: Linear)
        /// A router chooses experts for each token (Shazeer et al. 2017; Jiang et al. 2024, "Mixtral").
        case experts(router: Linear, gate: [Matrix], up: [Matrix], down: [Matrix])
    }
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
            feedForward = union([gate.matrix, up.matrix])
            self.down = down.matrix.activationBlocks
        case .experts(let router, let gates, let ups, let downs):
            feedForward = union([router.matrix] + gates + ups)
            down = union(downs)
        }
    }
}

/// All weights of a model, mapped in place except for the small vectors.
package struct Weights: Sendable {
    /// [vocabulary, embeddingLength]: a row a token.
    package let tokenEmbedding: Matrix
    package let outputNorm: Vector
    /// [vocabulary, embeddingLength]; the embedding itself where the file has no `output.weight`.
    package let output: Linear
    /// Divisors of the rotary frequencies, `rope_freqs.weight`.
    package let rotaryFactors: Vector?
    package let layers: [LayerWeights]

    init(_ file: GGUFFile, _ shape: Hyperparameters) throws(ModelError) {
        let binder = TensorBinder(file: file)
        let width = shape.embeddingLength
        let vocabulary = try binder.vocabularySize(embeddingLength: width)
        let embedding = try binder.matrix("token_embd.weight", rows: vocabulary, columns: width)
        tokenEmbedding = embedding
        outputNorm = try binder.vector("output_norm.weight", count: width)
        if binder.has("output.weight") {
            output = try binder.linear("output", rows: vocabulary, columns: width)
        } else {
            output = Linear(matrix: embedding, bias: nil)
        }
        rotaryFactors =
            binder.has("rope_freqs.weight")
            ? try binder.vector("rope_freqs.weight", count: shape.rotary.dimensionCount / 2) : nil
        var layers: [LayerWeights] = []
        for index in 0..<shape.blockCount { layers.append(try LayerWeights(binder, shape, index)) }
        self.layers = layers
    }
}

extension LayerWeights {
    init(_ binder: TensorBinder, _ shape: Hyperparameters, _ index: Int) throws(ModelError) {
        let block = "blk.\(index)."
        let width = shape.embeddingLength
        let inner = shape.feedForwardLength
        let queryWidth = shape.headCount * shape.headSize
        let keyWidth = shape.keyValueHeadCount * shape.headSize
        attentionNorm = try binder.vector(block + "attn_norm.weight", count: width)
        query = try binder.linear(block + "attn_q", rows: queryWidth, columns: width)
        key = try binder.linear(block + "attn_k", rows: keyWidth, columns: width)
        value = try binder.linear(block + "attn_v", rows: keyWidth, columns: width)
        attentionOutput = try binder.linear(block + "attn_output", rows: width, columns: queryWidth)
        feedForwardNorm = try binder.vector(block + "ffn_norm.weight", count: width)
        guard shape.expertCount > 0 else {
            feedForward = .dense(
                gate: try binder.linear(block + "ffn_gate", rows: inner, columns: width),
                up: try binder.linear(block + "ffn_up", rows: inner, columns: width),
                down: try binder.linear(block + "ffn_down", rows: width, columns: inner))
            return
        }
        let experts = shape.expertCount
        feedForward = .experts(
            router: try binder.linear(block + "ffn_gate_inp", rows: experts, columns: width),
            gate: try binder.experts(block + "ffn_gate", count: experts, rows: inner, columns: width),
            up: try binder.experts(block + "ffn_up", count: experts, rows: inner, columns: width),
            down: try binder.experts(block + "ffn_down", count: experts, rows: width, columns: inner))
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

    /// The rows of the embedding: every id below can be looked up.
    func vocabularySize(embeddingLength: Int) throws(ModelError) -> Int {
        let name = "token_embd.weight"
        let dimensions = try tensor(name).dimensions
        guard dimensions.count == 2, dimensions[0] == embeddingLength, (1...Int(Int32.max)).contains(dimensions[1])
        else {
            throw shapeError(name, dimensions, expected: [embeddingLength, "vocabulary"])
        }
        return dimensions[1]
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
        do {
            return try Vector(tensor.type.decode(tensor.bytes.copied()))
        } catch let error as PlatformError {
            throw ModelError(.insufficientMemory, "\(error)", tensor: name)
        } catch {
            throw ModelError(.unsupportedTensorType, "\(error)", tensor: name)
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
    fileprivate var isWeightType: Bool {
        switch self {
        case .i8, .i16, .i32, .i64: false
        default: true
        }
    }
}
