package import EdgeQuant

/// A type that a tensor's values can be stored in.
public struct TensorType: Sendable, Hashable, CustomStringConvertible {
    package let type: GGMLType

    package init(_ type: GGMLType) { self.type = type }

    /// The type of that name, such as `Q4_K`, in any case; nil where it cannot be quantized to.
    public init?(_ name: String) {
        guard let found = Self.all.first(where: { $0.name == name.uppercased() }) else { return nil }
        self = found
    }

    /// ggml's name, such as `Q4_K`.
    public var name: String { type.name }

    /// The name.
    public var description: String { name }

    /// Bits for one value, what its block has besides counted in.
    public var bitsPerWeight: Double { type.bitsPerWeight }

    /// The types that can be quantized to, those of most bits first.
    public static let all: [TensorType] = [
        .f32, .f16, .bf16, .q8_0, .q6K, .q5_1, .q5K, .q5_0, .q4_1, .q4K, .q4_0, .iq4NL, .iq4XS, .q3K, .q2K,
    ].map { TensorType($0) }
}
