/// 32 codes or activations, as unsigned bytes whatever they mean.
typealias Bytes = SIMD32<UInt8>
typealias Shorts = SIMD16<Int16>
typealias Words = SIMD8<Int32>
typealias Floats = SIMD8<Float>
typealias EightShorts = (Shorts, Shorts, Shorts, Shorts, Shorts, Shorts, Shorts, Shorts)
typealias EightWords = (Words, Words, Words, Words, Words, Words, Words, Words)
typealias EightPointers = (
    UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer,
    UnsafeRawPointer, UnsafeRawPointer
)

/// How a block format's integers and floats make values, in the terms the kernels compute in.
///
/// A block has `groupCount` groups of 32 values. Value i is
///     d * s[i / 16] * (code[i] - offset) + m * t[i / 16]
/// with integers s (1 unless `hasScales`) and t (1 unless `hasScales`; no such term unless `hasMinimum`). So the product with
/// quantized activations a * q[i] is, exact in 32-bit integers up to the conversion to float,
///     Float(sum s * code * q - offset * sum s * q) * (d * a) + Float(sum t * q) * (m * a).
/// Kernels are generic functions over the format, inlined into one plain function a type.
protocol BlockFormat: TileFormat {
    /// Bytes of a block.
    static var byteCount: Int { get }
    /// Groups of 32 values in a block: 1 or 8.
    static var groupCount: Int { get }
    /// How many products of four codes and activations can be added in 16 bits: 1 (signed codes), 2, 4, 8 or 32. Rooms whose
    /// `Products` have 32 bits keep to it too.
    static var unit: Int { get }
    /// Whether codes are signed bytes.
    static var isSigned: Bool { get }
    static var offset: Int16 { get }
    static var hasScales: Bool { get }
    /// Whether scales differ between the halves of a group of 32.
    static var hasHalfScales: Bool { get }
    static var hasMinimum: Bool { get }
    /// Whether halves of a group have scales and their sums, of 16 products, fit 16 bits: codes to 16.
    static var halvesFitShorts: Bool { get }

    /// The 32 codes of a group, in order.
    static func codes(_ block: UnsafeRawPointer, group: Int) -> Bytes
    /// s, one for each 16 values.
    static func scales(_ block: UnsafeRawPointer) -> Shorts
    /// t, one for each 16 values.
    static func minimums(_ block: UnsafeRawPointer) -> Shorts
    /// d of eight blocks.
    static func factors(_ rows: EightPointers) -> Floats
    /// m of eight blocks.
    static func minimumFactors(_ rows: EightPointers) -> Floats
}

extension BlockFormat {
    @inline(__always) static var isSigned: Bool { false }
    @inline(__always) static var offset: Int16 { 0 }
    @inline(__always) static var hasScales: Bool { false }
    @inline(__always) static var hasHalfScales: Bool { false }
    @inline(__always) static var hasMinimum: Bool { false }
    @inline(__always) static var halvesFitShorts: Bool { false }
    @inline(__always) static func scales(_ block: UnsafeRawPointer) -> Shorts { Shorts(repeating: 1) }
    @inline(__always) static func minimums(_ block: UnsafeRawPointer) -> Shorts { Shorts(repeating: 1) }
    @inline(__always) static func minimumFactors(_ rows: EightPointers) -> Floats { Floats() }

    @inline(__always) static func products(_ codes: Bytes, _ activations: Bytes) -> Products {
        isSigned ? signedPairs(codes, activations) : pairs(codes, activations)
    }
}

/// The u16 at `offset` after each of eight pointers.
@inline(__always) func gather16(_ p: EightPointers, _ offset: Int) -> SIMD8<UInt16> {
    SIMD8<UInt16>(
        p.0.loadUnaligned(fromByteOffset: offset, as: UInt16.self),
        p.1.loadUnaligned(fromByteOffset: offset, as: UInt16.self),
        p.2.loadUnaligned(fromByteOffset: offset, as: UInt16.self),
        p.3.loadUnaligned(fromByteOffset: offset, as: UInt16.self),
        p.4.loadUnaligned(fromByteOffset: offset, as: UInt16.self),
        p.5.loadUnaligned(fromByteOffset: offset, as: UInt16.self),
        p.6.loadUnaligned(fromByteOffset: offset, as: UInt16.self),
        p.7.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
}

/// The half at `offset` after each of eight pointers.
@inline(__always) func gatherHalves(_ p: EightPointers, _ offset: Int) -> Floats { floats(halves: gather16(p, offset)) }

/// Four bytes, eight times.
@inline(__always) func repeated(_ p: UnsafeRawPointer) -> Bytes {
    unsafeBitCast(SIMD8<UInt32>(repeating: p.loadUnaligned(as: UInt32.self)), to: Bytes.self)
}

/// Pointers to rows `first` to `first + 7`; past the end the last row stands in, and its outputs are not stored.
@inline(__always) func rowPointers(_ base: UnsafeRawPointer, _ stride: Int, first: Int, count: Int) -> EightPointers {
    let last = count &- 1
    return (
        base + min(first, last) &* stride, base + min(first &+ 1, last) &* stride,
        base + min(first &+ 2, last) &* stride, base + min(first &+ 3, last) &* stride,
        base + min(first &+ 4, last) &* stride, base + min(first &+ 5, last) &* stride,
        base + min(first &+ 6, last) &* stride, base + min(first &+ 7, last) &* stride
    )
}

/// Eight pointers, `stride` bytes apart.
@inline(__always) func consecutive(_ p: UnsafeRawPointer, _ stride: Int) -> EightPointers {
    (
        p, p + stride, p + 2 &* stride, p + 3 &* stride, p + 4 &* stride, p + 5 &* stride, p + 6 &* stride,
        p + 7 &* stride
    )
}

/// Stores, or adds to what is there, the first `count` of eight outputs.
@inline(__always)
func store(_ x: Floats, _ output: UnsafeMutablePointer<Float>, count: Int, isAccumulating: Bool) {
    if count >= 8 {
        let memory = UnsafeMutableRawPointer(output)
        let before = isAccumulating ? memory.loadUnaligned(as: Floats.self) + x : x
        memory.storeBytes(of: before, as: Floats.self)
    } else {
        for lane in 0..<max(0, count) { output[lane] = isAccumulating ? output[lane] + x[lane] : x[lane] }
    }
}
