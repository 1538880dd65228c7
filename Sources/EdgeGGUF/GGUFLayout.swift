/// How the fields of one file are laid out: what its version and byte order decide.
///
/// Version 1 counts in 32 bits, versions 2 and 3 in 64. Version 3 brought big-endian files, which differ from
/// little-endian ones in every field but the magic. Source: the GGUF specification (`docs/gguf.md` of ggml).
package struct GGUFLayout: Sendable, Hashable {
    /// 1, 2 or 3.
    package let version: Int
    package let isBigEndian: Bool

    package init(version: Int = 3, isBigEndian: Bool = false) {
        self.version = version
        self.isBigEndian = isBigEndian
    }

    /// What everybody writes today.
    package static let current = GGUFLayout()

    /// Bytes of a count, a string length or a dimension.
    var countByteCount: Int { version == 1 ? 4 : 8 }

    /// The least bytes a metadata pair can take: key length, one byte of key, type, one byte of value.
    var leastPairByteCount: Int { countByteCount + 1 + 4 + 1 }

    /// The least bytes a tensor entry can take: name length, one byte of name, dimension count, type, offset.
    var leastTensorByteCount: Int { countByteCount + 1 + 4 + 4 + 8 }

    /// Whether numbers are stored in the other order than this machine's.
    var needsByteSwap: Bool {
        #if _endian(big)
            !isBigEndian
        #else
            isBigEndian
        #endif
    }

    /// A number as loaded, in this machine's order.
    @inline(__always) func native<T: FixedWidthInteger>(_ stored: T) -> T {
        isBigEndian ? T(bigEndian: stored) : T(littleEndian: stored)
    }
}

/// The types of metadata values, by the number the file stores.
package enum GGUFValueType: UInt32, CaseIterable, Sendable {
    case uint8 = 0
    case int8 = 1
    case uint16 = 2
    case int16 = 3
    case uint32 = 4
    case int32 = 5
    case float32 = 6
    case bool = 7
    case string = 8
    case array = 9
    case uint64 = 10
    case int64 = 11
    case float64 = 12

    /// The name used in messages and by other tools, such as `u32`.
    package var name: String {
        switch self {
        case .uint8: "u8"
        case .int8: "i8"
        case .uint16: "u16"
        case .int16: "i16"
        case .uint32: "u32"
        case .int32: "i32"
        case .float32: "f32"
        case .bool: "bool"
        case .string: "str"
        case .array: "arr"
        case .uint64: "u64"
        case .int64: "i64"
        case .float64: "f64"
        }
    }

    /// Bytes of a value of fixed size, nil for strings and arrays.
    var fixedByteCount: Int? {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .string, .array: nil
        }
    }

    /// The least bytes one element of an array can take.
    func leastByteCount(in layout: GGUFLayout) -> Int {
        switch self {
        case .string: layout.countByteCount
        case .array: 4 + layout.countByteCount
        default: fixedByteCount ?? 1
        }
    }
}
