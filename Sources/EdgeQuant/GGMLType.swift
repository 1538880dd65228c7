/// The element types a GGUF tensor can have, by the number the file stores (`enum ggml_type` of ggml.h).
///
/// A type stores its values in blocks: `blockLength` values in `blockByteCount` bytes. Only types that can be decoded are
/// listed; `GGMLType.name(ofRawValue:)` also names the others, so that an error can.
package enum GGMLType: UInt32, CaseIterable, Sendable {
    case f32 = 0
    case f16 = 1
    case q4_0 = 2
    case q4_1 = 3
    case q5_0 = 6
    case q5_1 = 7
    case q8_0 = 8
    case q2K = 10
    case q3K = 11
    case q4K = 12
    case q5K = 13
    case q6K = 14
    case iq4NL = 20
    case iq4XS = 23
    case i8 = 24
    case i16 = 25
    case i32 = 26
    case i64 = 27
    case f64 = 28
    case bf16 = 30
    case tq1_0 = 34
    case tq2_0 = 35
    case mxfp4 = 39

    /// ggml's name, such as `Q4_K`.
    package var name: String { layout.name }
    /// Values in one block: 1, 32 or 256.
    package var blockLength: Int { layout.values }
    /// Bytes of one block.
    package var blockByteCount: Int { layout.bytes }
    /// Bits for one value, block overhead included.
    package var bitsPerWeight: Double { Double(8 * blockByteCount) / Double(blockLength) }

    /// Bytes that `count` values need, or nil when that is no whole number of blocks or does not fit an `Int`.
    package func byteCount(valueCount count: Int) -> Int? {
        guard count >= 0, count % blockLength == 0 else { return nil }
        let (bytes, overflow) = (count / blockLength).multipliedReportingOverflow(by: blockByteCount)
        return overflow ? nil : bytes
    }

    private var layout: (name: String, values: Int, bytes: Int) {
        switch self {
        case .f32: ("F32", 1, 4)
        case .f16: ("F16", 1, 2)
        case .q4_0: ("Q4_0", 32, 18)
        case .q4_1: ("Q4_1", 32, 20)
        case .q5_0: ("Q5_0", 32, 22)
        case .q5_1: ("Q5_1", 32, 24)
        case .q8_0: ("Q8_0", 32, 34)
        case .q2K: ("Q2_K", 256, 84)
        case .q3K: ("Q3_K", 256, 110)
        case .q4K: ("Q4_K", 256, 144)
        case .q5K: ("Q5_K", 256, 176)
        case .q6K: ("Q6_K", 256, 210)
        case .iq4NL: ("IQ4_NL", 32, 18)
        case .iq4XS: ("IQ4_XS", 256, 136)
        case .i8: ("I8", 1, 1)
        case .i16: ("I16", 1, 2)
        case .i32: ("I32", 1, 4)
        case .i64: ("I64", 1, 8)
        case .f64: ("F64", 1, 8)
        case .bf16: ("BF16", 1, 2)
        case .tq1_0: ("TQ1_0", 256, 54)
        case .tq2_0: ("TQ2_0", 256, 66)
        case .mxfp4: ("MXFP4", 32, 17)
        }
    }
}

extension GGMLType {
    /// The name of a type number, listed above or not: a type ggml has and we lack, one it removed, or none at all.
    package static func name(ofRawValue raw: UInt32) -> String {
        if let type = GGMLType(rawValue: raw) { return type.name }
        return switch raw {
        case 4, 5: "Q4_2/Q4_3 (removed from ggml)"
        case 9: "Q8_1"
        case 15: "Q8_K"
        case 16: "IQ2_XXS"
        case 17: "IQ2_XS"
        case 18: "IQ3_XXS"
        case 19: "IQ1_S"
        case 21: "IQ3_S"
        case 22: "IQ2_S"
        case 29: "IQ1_M"
        case 31, 32, 33: "Q4_0 repacked (removed from ggml)"
        case 36, 37, 38: "IQ4_NL repacked (removed from ggml)"
        case 40: "NVFP4"
        case 41: "Q1_0"
        case 42: "Q2_0"
        default: "unknown"
        }
    }

    /// The names of all types that can be decoded, for messages.
    package static var supportedNames: String { allCases.map(\.name).joined(separator: ", ") }
}
