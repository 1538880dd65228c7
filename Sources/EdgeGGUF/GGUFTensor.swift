package import EdgePlatform
package import EdgeQuant

/// One tensor of the directory: a name, a shape, a type, and where its data lies in the mapped file.
package struct GGUFTensor: Sendable {
    package let name: String
    package let type: GGMLType
    /// One to four lengths, fastest first (`ne` of ggml): `dimensions[0]` is the length of a row. All are positive.
    package let dimensions: [Int]
    /// Where the data begins in its file.
    package let fileOffset: Int
    /// The data as the file stores it, a view of the mapping.
    package let storedBytes: ByteView
    let layout: GGUFLayout

    /// The bytes of the data: whole blocks, as type and dimensions say.
    package var byteCount: Int { storedBytes.count }

    /// The number of values.
    package var valueCount: Int { dimensions.reduce(1, *) }

    /// The number of rows of `dimensions[0]` values.
    package var rowCount: Int { dimensions.dropFirst().reduce(1, *) }

    /// Whether `bytes` is a view of the mapping; false where the file's byte order makes a copy necessary.
    package var isMapped: Bool { !layout.needsByteSwap || type.swappedFields.isEmpty }

    /// The data in this machine's byte order.
    ///
    /// For a file in this machine's order that is the mapping itself and costs nothing. For a file in the other order each
    /// access makes a copy of `byteCount` bytes with the numbers inside the blocks turned round: hold on to the result.
    package var bytes: ByteView {
        guard !isMapped else { return storedBytes }
        var copy = storedBytes.copied()
        type.swapByteOrder(&copy)
        return ByteView(copy)
    }

    /// Turns whole blocks as the file stores them into this machine's byte order, in place.
    package func bringIntoOrder(_ bytes: inout [UInt8]) {
        if !isMapped { type.swapByteOrder(&bytes) }
    }
}

/// A number inside a block: where it begins and how many bytes it has.
struct SwappedField {
    let offset: Int
    let byteCount: Int
}

extension GGMLType {
    /// The numbers of more than one byte inside a block, from the block layouts of ggml (`ggml-common.h`).
    ///
    /// Everything else in a block is bytes: packed quants and scales, bit masks.
    var swappedFields: [SwappedField] {
        switch self {
        case .i8, .mxfp4: []
        case .f16, .bf16, .i16: [SwappedField(offset: 0, byteCount: 2)]
        case .f32, .i32: [SwappedField(offset: 0, byteCount: 4)]
        case .f64, .i64: [SwappedField(offset: 0, byteCount: 8)]
        case .q4_0, .q5_0, .q8_0, .iq4NL: [SwappedField(offset: 0, byteCount: 2)]
        case .q4_1, .q5_1, .q4K, .q5K, .iq4XS:
            [SwappedField(offset: 0, byteCount: 2), SwappedField(offset: 2, byteCount: 2)]
        case .q2K: [SwappedField(offset: 80, byteCount: 2), SwappedField(offset: 82, byteCount: 2)]
        case .q3K: [SwappedField(offset: 108, byteCount: 2)]
        case .q6K: [SwappedField(offset: 208, byteCount: 2)]
        case .tq1_0: [SwappedField(offset: 52, byteCount: 2)]
        case .tq2_0: [SwappedField(offset: 64, byteCount: 2)]
        }
    }

    /// Turns the numbers in whole blocks round, in place; doing it twice changes nothing.
    func swapByteOrder(_ bytes: inout [UInt8]) {
        for field in swappedFields {
            var start = field.offset
            while start + field.byteCount <= bytes.count {
                for step in 0..<field.byteCount / 2 {
                    bytes.swapAt(start + step, start + field.byteCount - 1 - step)
                }
                start += blockByteCount
            }
        }
    }
}
