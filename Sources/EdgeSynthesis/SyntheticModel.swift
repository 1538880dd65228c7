internal import EdgeGGUF
internal import EdgeQuant

/// A model of a known shape with random weights, for measuring.
package struct SyntheticModel: Sendable {
    package let shape: ModelShape
    package let mix: QuantizationMix

    package init(shape: ModelShape, mix: QuantizationMix) {
        self.shape = shape
        self.mix = mix
    }

    /// Reads `llama-3.2-1b:Q4_K_M`; nil for an unknown shape or mix.
    package init?(_ description: String) {
        let parts = description.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let shape = ModelShape.named(String(parts[0])),
            let mix = QuantizationMix.named(String(parts[1]))
        else { return nil }
        self.init(shape: shape, mix: mix)
    }

    package var name: String { "\(shape.name):\(mix.name)" }

    /// Writes the file. It has no vocabulary: it can be measured, not talked to.
    ///
    /// Rows are drawn from a pool of encoded random rows, so that even gigabytes take seconds; the values of a row are normally
    /// distributed as those of a freshly initialised model are. The same description gives the same bytes.
    /// - Throws: `GGUFError`.
    package func write(to path: String) throws {
        var writer = GGUFWriter()
        let width = shape.embeddingLength
        writer.set("general.architecture", .string("llama"))
        writer.set("general.name", .string("random weights, shape \(name)"))
        writer.set("general.file_type", .uint32(mix.fileType))
        writer.set("general.quantization_version", .uint32(2))
        for (key, value) in [
            ("vocab_size", shape.vocabularySize), ("context_length", shape.contextLength),
            ("embedding_length", width), ("block_count", shape.blockCount),
            ("feed_forward_length", shape.feedForwardLength), ("attention.head_count", shape.headCount),
            ("attention.head_count_kv", shape.keyValueHeadCount), ("attention.key_length", shape.headSize),
            ("attention.value_length", shape.headSize), ("rope.dimension_count", shape.headSize),
        ] { writer.set("llama." + key, .uint32(UInt32(value))) }
        writer.set("llama.attention.layer_norm_rms_epsilon", .float32(1e-5))
        writer.set("llama.rope.freq_base", .float32(shape.ropeBase))
        writer.set("tokenizer.ggml.model", .string("none"))

        let output = mix.output(columns: width)
        try add("token_embd", output, rows: shape.vocabularySize, columns: width, to: &writer)
        if !shape.isTied { try add("output", output, rows: shape.vocabularySize, columns: width, to: &writer) }
        try addNorm("output_norm", to: &writer)
        for layer in 0..<shape.blockCount {
            try addNorm("blk.\(layer).attn_norm", to: &writer)
            try addNorm("blk.\(layer).ffn_norm", to: &writer)
            for matrix in LayerMatrix.allCases {
                let (rows, columns) = size(of: matrix)
                let type = mix.type(matrix, layer: layer, of: shape.blockCount, columns: columns)
                try add("blk.\(layer).\(matrix.rawValue)", type, rows: rows, columns: columns, to: &writer)
            }
        }
        try writer.write(to: path)
    }

    private func size(of matrix: LayerMatrix) -> (rows: Int, columns: Int) {
        let width = shape.embeddingLength
        let queries = shape.headCount * shape.headSize
        let keys = shape.keyValueHeadCount * shape.headSize
        return switch matrix {
        case .query: (queries, width)
        case .key, .value: (keys, width)
        case .attentionOutput: (width, queries)
        case .gate, .up: (shape.feedForwardLength, width)
        case .down: (width, shape.feedForwardLength)
        }
    }

    private func addNorm(_ name: String, to writer: inout GGUFWriter) throws {
        let ones = (0..<shape.embeddingLength).flatMap { _ in [0, 0, 0x80, 0x3F] as [UInt8] }
        try writer.add(name: name + ".weight", type: .f32, dimensions: [shape.embeddingLength], bytes: ones)
    }

    /// Rows that are encoded; each row of a tensor is one of them.
    private static let poolSize = 64

    private func add(
        _ name: String, _ type: GGMLType, rows: Int, columns: Int, to writer: inout GGUFWriter
    ) throws {
        try writer.add(name: name + ".weight", type: type, dimensions: [columns, rows]) { emit in
            var random = Normal(seed: name.utf8.reduce(0x9E37_79B9) { $0 &* 31 &+ UInt64($1) })
            let deviation = 1 / Float(columns).squareRoot()
            var pool: [[UInt8]] = []
            for _ in 0..<min(Self.poolSize, rows) {
                pool.append(try type.encode((0..<columns).map { _ in random.next() * deviation }))
            }
            for _ in 0..<rows { try emit(pool[random.index(below: pool.count)]) }
        }
    }
}

/// Normally distributed numbers, near enough: the sum of four uniform ones, from SplitMix64.
private struct Normal {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    private mutating func bits() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z &>> 31)
    }

    mutating func next() -> Float {
        let word = bits()
        var sum: Float = 0
        for part in 0..<4 { sum += Float(UInt16(truncatingIfNeeded: word &>> (16 * UInt64(part)))) }
        // Four uniform numbers of 0 ..< 65536: mean 131070, deviation 65536 / sqrt(3).
        return (sum - 131_070) / 37_837
    }

    mutating func index(below count: Int) -> Int { Int(bits() % UInt64(max(1, count))) }
}
