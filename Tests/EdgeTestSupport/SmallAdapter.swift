package import EdgeGGUF
internal import EdgePlatform
package import EdgeQuant

/// A LoRA adapter of random factors for some model, made in memory, and the same change made to the model's weights themselves.
package struct SmallAdapter: Sendable {
    package var rank: Int
    package var alpha: Float
    package var type: GGMLType
    package var seed: UInt64
    /// Three times the root mean square of the change of a weight.
    package var size: Float = 0.1
    /// Which of the model's tensors are changed.
    package var isTarget: @Sendable (String) -> Bool

    package init(
        rank: Int = 4, alpha: Float = 8, type: GGMLType = .f32, seed: UInt64 = 1,
        isTarget: @escaping @Sendable (String) -> Bool = { _ in true }
    ) {
        self.rank = rank
        self.alpha = alpha
        self.type = type
        self.seed = seed
        self.isTarget = isTarget
    }

    /// Names of the matrices that can be changed, without block and `.weight`.
    private static let matrices: Set<String> = [
        "token_embd", "output", "attn_q", "attn_k", "attn_v", "attn_qkv", "attn_output", "ffn_gate_inp", "ffn_gate",
        "ffn_up", "ffn_down", "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps",
    ]

    private func targets(_ model: GGUFFile) -> [GGUFTensor] {
        model.tensors.filter { tensor in
            let parts = tensor.name.split(separator: ".").map(String.init)
            return parts.last == "weight" && parts.count >= 2 && Self.matrices.contains(parts[parts.count - 2])
                && isTarget(tensor.name)
        }
    }

    /// The two factors of a tensor in the order of the file: A [.., rank, inputs], B [.., outputs, rank]; of the embedding A
    /// [tokens, rank].
    private func factors(_ tensor: GGUFTensor) throws -> (a: [Float], b: [Float], dimensions: ([Int], [Int])) {
        var random = SplitMix(seed: tensor.name.utf8.reduce(seed) { $0 &* 31 &+ UInt64($1) })
        let shape = tensor.dimensions
        let experts = Array(shape.dropFirst(2))
        let isEmbedding = tensor.name == "token_embd.weight"
        let dimensions = (
            isEmbedding ? [rank, shape[1]] : [shape[0], rank] + experts,
            [rank, isEmbedding ? shape[0] : shape[1]] + experts
        )
        func values(_ dimensions: [Int], _ size: Float) throws -> [Float] {
            let numbers = (0..<dimensions.reduce(1, *)).map { _ in
                size * Float(Int32(truncatingIfNeeded: random.next() >> 32)) / Float(Int32.max)
            }
            return try type.decode(type.encode(numbers))
        }
        let scale = alpha == 0 ? 1 : abs(alpha) / Float(rank)
        return try (values(dimensions.0, 1), values(dimensions.1, size / Float(rank).squareRoot() / scale), dimensions)
    }

    /// The adapter's file.
    package func encoded(for model: GGUFFile) throws -> [UInt8] {
        var writer = GGUFWriter()
        writer.set("general.architecture", .string(try model.metadata.string("general.architecture")))
        writer.set("general.type", .string("adapter"))
        writer.set("general.name", .string("small adapter"))
        writer.set("adapter.type", .string("lora"))
        writer.set("adapter.lora.alpha", .float32(alpha))
        for tensor in targets(model) {
            let (a, b, dimensions) = try factors(tensor)
            try writer.add(
                name: tensor.name + ".lora_a", type: type, dimensions: dimensions.0, bytes: type.encode(a))
            try writer.add(
                name: tensor.name + ".lora_b", type: type, dimensions: dimensions.1, bytes: type.encode(b))
        }
        return try writer.encoded()
    }

    /// The model with all matrices in f32 and the adapters' changes, each at a scale, added in double precision.
    package static func merged(_ model: GGUFFile, _ adapters: [(SmallAdapter, Float)]) throws -> [UInt8] {
        var writer = GGUFWriter()
        for entry in model.metadata.entries { writer.set(entry.key, entry.value) }
        for tensor in model.tensors {
            guard tensor.dimensions.count > 1 else {
                try writer.add(tensor)
                continue
            }
            var weights = try tensor.type.decode(tensor.bytes.copied()).map { Double($0) }
            for (adapter, scale) in adapters where adapter.targets(model).contains(where: { $0.name == tensor.name }) {
                try adapter.add(to: &weights, of: tensor, scale: scale)
            }
            let values = weights.map { Float($0) }
            try writer.add(
                name: tensor.name, type: .f32, dimensions: tensor.dimensions, bytes: GGMLType.f32.encode(values))
        }
        return try writer.encoded()
    }

    private func add(to weights: inout [Double], of tensor: GGUFTensor, scale: Float) throws {
        let (a, b, _) = try factors(tensor)
        let (columns, rows) = (tensor.dimensions[0], tensor.dimensions[1])
        let factor = Double(scale) * (alpha == 0 ? 1 : Double(alpha) / Double(rank))
        let isEmbedding = tensor.name == "token_embd.weight"
        for index in weights.indices {
            let (expert, row, column) = (index / (rows * columns), index / columns % rows, index % columns)
            var sum = 0.0
            for r in 0..<rank {
                // Of the embedding the rows are A's and the columns are B's.
                let left = isEmbedding ? a[row * rank + r] : b[(expert * rows + row) * rank + r]
                let right = isEmbedding ? b[column * rank + r] : a[(expert * rank + r) * columns + column]
                sum += Double(left) * Double(right)
            }
            weights[index] += factor * sum
        }
    }
}
