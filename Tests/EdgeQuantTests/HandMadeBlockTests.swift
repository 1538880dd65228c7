import EdgeQuant
import Testing

/// Blocks made by hand, with d = 1 (0x3C00) unless said, whose values follow from the layout alone.
@Suite("Hand-made blocks")
struct HandMadeBlockTests {
    static let one: [UInt8] = [0x00, 0x3C]
    static let two: [UInt8] = [0x00, 0x40]

    @Test(
        "blocks have the sizes of ggml's structs",
        arguments: [
            (GGMLType.q4_0, 2 + 16), (.q4_1, 4 + 16), (.q5_0, 2 + 4 + 16), (.q5_1, 4 + 4 + 16), (.q8_0, 2 + 32),
            (.q2K, 16 + 64 + 4), (.q3K, 32 + 64 + 12 + 2), (.q4K, 4 + 12 + 128), (.q5K, 4 + 12 + 32 + 128),
            (.q6K, 128 + 64 + 16 + 2), (.iq4NL, 2 + 16), (.iq4XS, 2 + 2 + 4 + 128), (.tq1_0, 48 + 4 + 2),
            (.tq2_0, 64 + 2),
            (.mxfp4, 1 + 16),
        ])
    func sizes(type: GGMLType, bytes: Int) { #expect(type.blockByteCount == bytes) }

    @Test("low nibbles are the first half of a block, high ones the second")
    func nibbles() throws {
        let bytes = (0..<16).map { UInt8($0 | (15 - $0) << 4) }
        let up = (0..<16).map { Float($0) }
        let down = up.map { 15 - $0 }
        #expect(try GGMLType.q4_0.decode(Self.one + bytes) == (up + down).map { $0 - 8 })
        #expect(try GGMLType.q4_1.decode(Self.two + Self.one + bytes) == (up + down).map { 2 * $0 + 1 })
        let none: [UInt8] = [0, 0, 0, 0]
        let odd: [UInt8] = [0xAA, 0xAA, 0xAA, 0xAA]
        let fifth = (0..<32).map { Float($0 % 2 * 16) }
        #expect(try GGMLType.q5_0.decode(Self.one + none + bytes) == (up + down).map { $0 - 16 })
        #expect(
            try GGMLType.q5_1.decode(Self.one + Self.two + odd + bytes) == zip(up + down, fifth).map { $0 + $1 + 2 })
        let grid: [Float] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]
        #expect(try GGMLType.iq4NL.decode(Self.one + bytes) == grid + grid.reversed())
        let fp4: [Float] = [0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6]
        #expect(try GGMLType.mxfp4.decode([127] + bytes) == fp4 + fp4.reversed())
        #expect(try GGMLType.mxfp4.decode([128] + bytes) == (fp4 + fp4.reversed()).map { 2 * $0 })
    }

    @Test("Q8_0 holds signed bytes")
    func signedBytes() throws {
        let values = (0..<32).map { Int8($0 - 16) }
        #expect(
            try GGMLType.q8_0.decode(Self.two + values.map { UInt8(bitPattern: $0) }) == values.map { 2 * Float($0) })
    }

    @Test("K blocks with equal scales and levels give one value everywhere")
    func uniformKBlocks() throws {
        func expect(_ type: GGMLType, _ bytes: [UInt8], _ value: Float) throws {
            #expect(try type.decode(bytes) == [Float](repeating: value, count: 256), "\(type.name)")
        }
        func fill(_ byte: UInt8, _ count: Int) -> [UInt8] { [UInt8](repeating: byte, count: count) }
        // Scale 3, minimum 2, level 2.
        try expect(.q2K, fill(0x23, 16) + fill(0xAA, 64) + Self.one + Self.two, 3 * 2 - 2 * 2)
        // Scale 33 (low 1, high 2), level 2 + 4 with the high bit.
        try expect(.q3K, fill(0xFF, 32) + fill(0xAA, 64) + fill(0x11, 8) + fill(0xAA, 4) + Self.two, 2 * 1 * 2)
        try expect(.q3K, fill(0x00, 32) + fill(0xAA, 64) + fill(0x11, 8) + fill(0xAA, 4) + Self.two, 2 * 1 * -2)
        // Scale 17 and minimum 34: upper bits 01 and 10 on top of the first eight bytes.
        let scales = fill(0x40 | 17, 4) + fill(0x80 | 34, 4) + fill(0x21, 4)
        try expect(.q4K, Self.one + Self.two + scales + fill(0x77, 128), 17 * 7 - 2 * 34)
        try expect(.q5K, Self.one + Self.two + scales + fill(0xFF, 32) + fill(0x77, 128), 17 * 23 - 2 * 34)
        // Level 0x25 = 37, scale -3.
        try expect(.q6K, fill(0x55, 128) + fill(0xAA, 64) + fill(0xFD, 16) + Self.two, 2 * -3 * 5)
        // Scale 0x21 = 33, code 15.
        try expect(.iq4XS, Self.two + [0xAA, 0xAA] + fill(0x11, 4) + fill(0xFF, 128), 2 * 1 * 113)
        try expect(.tq2_0, fill(0xAA, 64) + Self.two, 2)
        // The fraction 242/243 is five digits 2.
        try expect(.tq1_0, fill(255, 52) + Self.two, 2)
        try expect(.tq1_0, fill(0, 52) + Self.two, -2)
    }

    @Test("plain types read little-endian numbers")
    func plain() throws {
        #expect(try GGMLType.f32.decode([0, 0, 0x80, 0x3F, 0, 0, 0x20, 0xC1]) == [1, -10])
        #expect(try GGMLType.f64.decode([0, 0, 0, 0, 0, 0, 0xF8, 0x3F]) == [1.5])
        #expect(try GGMLType.f16.decode([0x00, 0xC0, 0x01, 0x00]) == [-2, 0x1p-24])
        #expect(try GGMLType.bf16.decode([0x80, 0x3F]) == [1])
        #expect(try GGMLType.i8.decode([0xFF, 0x7F]) == [-1, 127])
        #expect(try GGMLType.i16.decode([0xFE, 0xFF]) == [-2])
        #expect(try GGMLType.i32.decode([0, 0, 1, 0]) == [65536])
        #expect(try GGMLType.i64.decode([0, 0, 0, 0, 1, 0, 0, 0]) == [0x1p32])
    }
}
