package import EdgeGGUF
internal import EdgeQuant

/// A model of a known shape with random weights, for measuring.
package struct SyntheticModel: Sendable {
    package let shape: ModelShape
    package let mix: QuantizationMix

    package init(shape: ModelShape, mix: QuantizationMix) {
        self.shape = shape
        self.mix = mix
    }

    /// Reads `llama-3.2-1b:Q4_K_M`, or `llama-3.2-1b/2:Q4_K_M` for a reduced shape; nil for an unknown shape or mix.
    package init?(_ description: String) {
        let parts = description.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let shape = ModelShape.named(String(parts[0])),
            let mix = QuantizationMix.named(String(parts[1]))
        else { return nil }
        self.init(shape: shape, mix: mix)
    }

    package var name: String { "\(shape.name):\(mix.name)" }

    /// Writes the file. Without a vocabulary it can be measured, not talked to.
    ///
    /// Rows are drawn from a pool of encoded random rows, so that even gigabytes take seconds; the values of a row are normally
    /// distributed as those of a freshly initialised model are. The same description gives the same bytes.
    /// - Parameter vocabulary: a file whose vocabulary, of no more tokens than the shape has, becomes this one's.
    /// - Throws: `GGUFError`.
    package func write(to path: String, vocabulary: GGUFFile? = nil) throws {
        var writer = GGUFWriter()
        writer.set("general.architecture", .string(shape.architecture))
        writer.set("general.name", .string("random weights, shape \(name)"))
        writer.set("general.file_type", .uint32(mix.fileType))
        writer.set("general.quantization_version", .uint32(2))
        for (key, value) in statements { writer.set(shape.architecture + "." + key, value) }
        if let vocabulary {
            for entry in vocabulary.metadata.entries where entry.key.hasPrefix("tokenizer.") {
                writer.set(entry.key, entry.value)
            }
        } else {
            writer.set("tokenizer.ggml.model", .string("none"))
        }
        for tensor in tensors() { try add(tensor, to: &writer) }
        try writer.write(to: path)
    }

    /// Weights of the model, norms and biases among them.
    package var weightCount: Int { tensors().reduce(0) { $0 + $1.dimensions.reduce(1, *) } }

    var layout: FamilyLayout { FamilyLayout(of: shape.architecture) }

    /// Sizes and constants, as the architecture's files state them.
    private var statements: [(key: String, value: GGUFValue)] {
        var sizes = [
            ("vocab_size", shape.vocabularySize), ("context_length", shape.contextLength),
            ("embedding_length", shape.embeddingLength), ("block_count", shape.blockCount),
            ("feed_forward_length", shape.feedForwardLength), ("attention.head_count", shape.headCount),
            ("attention.head_count_kv", shape.keyValueHeadCount),
        ]
        if layout.statesHeadSize {
            sizes += [("attention.key_length", shape.headSize), ("attention.value_length", shape.headSize)]
        }
        if layout.statesRotaryCount { sizes.append(("rope.dimension_count", shape.rotaryCount ?? shape.headSize)) }
        if let experts = shape.experts {
            sizes += [
                ("expert_count", experts.count), ("expert_used_count", experts.usedCount),
                ("expert_feed_forward_length", experts.feedForwardLength),
            ]
        }
        let epsilon = layout.hasLayerNorms ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon"
        return sizes.map { ($0.0, GGUFValue.uint32(UInt32($0.1))) }
            + [(epsilon, .float32(shape.normEpsilon)), ("rope.freq_base", .float32(shape.ropeBase))] + shape.statements
    }

    /// Rows that are encoded; each row of a tensor is one of them.
    private static let poolSize = 64

    private func add(_ tensor: SyntheticTensor, to writer: inout GGUFWriter) throws {
        let (name, type, columns) = (tensor.name, tensor.type, tensor.dimensions[0])
        let rows = tensor.dimensions.dropFirst().reduce(1, *)
        let stem = name.hasSuffix(".weight") ? String(name.dropLast(".weight".count)) : name
        try writer.add(name: name, type: type, dimensions: tensor.dimensions) { emit in
            var random = Normal(seed: stem.utf8.reduce(0x9E37_79B9) { $0 &* 31 &+ UInt64($1) })
            let deviation: Float
            switch tensor.values {
            case .ones: return try emit(try type.encode([Float](repeating: 1, count: columns)))
            case .bias: deviation = 0.02
            case .matrix: deviation = 1 / Float(columns).squareRoot()
            }
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
