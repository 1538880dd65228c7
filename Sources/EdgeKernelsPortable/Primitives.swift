// The operations that the shared text of the kernels is written in, for any processor: SIMD types alone.

@inline(__always) private func quads(_ x: Bytes) -> SIMD4<UInt64> { unsafeBitCast(x, to: SIMD4<UInt64>.self) }

@inline(__always) private func fill(_ x: UInt8) -> SIMD4<UInt64> {
    SIMD4<UInt64>(repeating: UInt64(x) &* 0x0101_0101_0101_0101)
}

/// 32 times the same byte.
@inline(__always) func bytes(_ x: UInt8) -> Bytes { unsafeBitCast(fill(x), to: Bytes.self) }

/// The bits that `mask` has too, in each byte.
@inline(__always) func masked(_ x: Bytes, _ mask: UInt8) -> Bytes {
    unsafeBitCast(quads(x) & fill(mask), to: Bytes.self)
}

/// Each byte moved down by `shift` bits, then masked; the mask must clear what came from the neighbour.
@inline(__always) func shifted(_ x: Bytes, right shift: Int, mask: UInt8) -> Bytes {
    unsafeBitCast(quads(x) &>> UInt64(truncatingIfNeeded: shift) & fill(mask), to: Bytes.self)
}

/// Likewise up.
@inline(__always) func shifted(_ x: Bytes, left shift: Int, mask: UInt8) -> Bytes {
    unsafeBitCast(quads(x) &<< UInt64(truncatingIfNeeded: shift) & fill(mask), to: Bytes.self)
}

@inline(__always) func union(_ x: Bytes, _ y: Bytes) -> Bytes { unsafeBitCast(quads(x) | quads(y), to: Bytes.self) }

/// What a product of bytes gives: sums of two, or of the four of a word where the processor adds so many at once.
typealias Products = Shorts

/// u8 times s8, neighbours added: 16 sums. The caller keeps them within 16 bits.
@inline(__always) func pairs(_ codes: Bytes, _ activations: Bytes) -> Shorts {
    let c = unsafeBitCast(codes, to: SIMD16<UInt16>.self)
    let a = unsafeBitCast(activations, to: Shorts.self)
    let even = unsafeBitCast(c & 0xFF, to: Shorts.self) &* ((a &<< 8) &>> 8)
    let odd = unsafeBitCast(c &>> 8, to: Shorts.self) &* (a &>> 8)
    return even &+ odd
}

/// s8 times s8, neighbours added; 2 * 128 * 127 fits 16 bits.
@inline(__always) func signedPairs(_ codes: Bytes, _ activations: Bytes) -> Shorts {
    let c = unsafeBitCast(codes, to: Shorts.self)
    let a = unsafeBitCast(activations, to: Shorts.self)
    return ((c &<< 8) &>> 8) &* ((a &<< 8) &>> 8) &+ (c &>> 8) &* (a &>> 8)
}

/// s16 times s16, neighbours added: 8 sums.
@inline(__always) func widen(_ x: Shorts, _ factors: Shorts) -> Words {
    let a = unsafeBitCast(x, to: Words.self)
    let b = unsafeBitCast(factors, to: Words.self)
    return ((a &<< 16) &>> 16) &* ((b &<< 16) &>> 16) &+ (a &>> 16) &* (b &>> 16)
}

/// Both 16-byte halves the same 16 bytes.
@inline(__always) func loadTwice(_ p: UnsafeRawPointer) -> Bytes {
    let x = p.loadUnaligned(as: SIMD2<UInt64>.self)
    return unsafeBitCast(SIMD4<UInt64>(x[0], x[1], x[0], x[1]), to: Bytes.self)
}

/// 16 bytes as 32 nibbles: the low ones, then the high ones.
@inline(__always) func nibbles(_ p: UnsafeRawPointer) -> Bytes {
    let x = p.loadUnaligned(as: SIMD2<UInt64>.self)
    return masked(unsafeBitCast(SIMD4<UInt64>(x[0], x[1], x[0] &>> 4, x[1] &>> 4), to: Bytes.self), 15)
}

/// The bits of a word as bytes, `value` where a bit is set.
@inline(__always) func spreadBits(_ word: UInt32, value: UInt8) -> Bytes {
    // Eight bits times 0x0101… are in every byte of a word; the mask keeps bit i in byte i, and adding 0x7F carries it to the top.
    @inline(__always) func eight(_ shift: UInt32) -> UInt64 {
        let copies = UInt64((word &>> shift) & 0xFF) &* 0x0101_0101_0101_0101 & 0x8040_2010_0804_0201
        // Byte 7 keeps its own top bit: adding 0x7F to 0x80 would carry out of it.
        return (((copies & 0x7F7F_7F7F_7F7F_7F7F) &+ 0x7F7F_7F7F_7F7F_7F7F) | copies) &>> 7 & 0x0101_0101_0101_0101
    }
    let ones = SIMD4<UInt64>(eight(0), eight(8), eight(16), eight(24))
    return unsafeBitCast(ones &* SIMD4<UInt64>(repeating: UInt64(value)), to: Bytes.self)
}

/// Bytes replaced by the table's entries; codes are below 16.
@inline(__always) func lookUp(_ table: SIMD16<Int8>, _ codes: Bytes) -> Bytes {
    var result = Bytes()
    for i in 0..<32 { result[i] = UInt8(bitPattern: table[Int(codes[i] & 15)]) }
    return result
}

/// 16 signed bytes as shorts.
@inline(__always) func shorts(_ x: SIMD16<Int8>) -> Shorts { Shorts(truncatingIfNeeded: x) }

/// 16 unsigned bytes, shifted and masked, as shorts.
@inline(__always) func shorts(_ x: SIMD2<UInt64>, right shift: Int, mask: UInt8) -> Shorts {
    let mask = SIMD2<UInt64>(repeating: UInt64(mask) &* 0x0101_0101_0101_0101)
    let moved = x &>> UInt64(truncatingIfNeeded: shift) & mask
    return Shorts(truncatingIfNeeded: unsafeBitCast(moved, to: SIMD16<UInt8>.self))
}

/// Eight bytes, each twice, as shorts.
@inline(__always) func shorts(twice x: UInt64) -> Shorts {
    let eight = SIMD8<UInt32>(truncatingIfNeeded: unsafeBitCast(x, to: SIMD8<UInt8>.self))
    return unsafeBitCast(eight | eight &<< 16, to: Shorts.self)
}

/// The base-3 digits that lead the fractions `x * power`: bytes times the power of their pair, times 3, the overflow.
@inline(__always) func trits(_ x: Bytes, _ powers: SIMD16<UInt16>) -> Bytes {
    let x = unsafeBitCast(x, to: SIMD16<UInt16>.self)
    let even = ((x & 0xFF) &* powers) & 0xFF
    let odd = ((x &>> 8) &* powers) & 0xFF
    return unsafeBitCast((even &* 3) &>> 8 | ((odd &* 3) & 0xFF00), to: Bytes.self)
}

/// Scales 0, 2, …, 14, then 1, 3, …, 15: the order that `scale(_:group:)` picks from.
@inline(__always) func evenOdd(_ x: Shorts) -> Shorts { Shorts(lowHalf: x.evenHalf, highHalf: x.oddHalf) }

/// The two scales of a group of 32 values, each for the eight sums of its 16 values.
@inline(__always) func scale(_ evenOdd: Shorts, group: Int) -> Shorts {
    Shorts(lowHalf: SIMD8(repeating: evenOdd[group]), highHalf: SIMD8(repeating: evenOdd[group &+ 8]))
}

@inline(__always) func floats(_ x: Words) -> Floats { Floats(x) }

/// a * b + c, rounded once, also where the processor has no instruction for it.
///
/// The product is exact in f64. The f64 sum is then rounded to odd: where it is inexact (Møller 1965, Knuth's TwoSum, gives the
/// error) an even significand makes way for its odd neighbour on the side of the error. Rounding that to f32 is the same as
/// rounding the exact sum (Boldo and Melquiond 2008).
@inline(__always) func multiplyAdd(_ a: Floats, _ b: Floats, _ c: Floats) -> Floats {
    let product = SIMD8<Double>(a) * SIMD8<Double>(b)
    let addend = SIMD8<Double>(c)
    let sum = product + addend
    let part = sum - product
    let error = (product - (sum - part)) + (addend - part)
    let bits = unsafeBitCast(sum, to: SIMD8<Int64>.self)
    let signs = unsafeBitCast(error, to: SIMD8<Int64>.self) ^ bits
    let step = SIMD8<Int64>(repeating: 1) | (signs &>> 63)
    let isInexact = (error .> 0) .| (error .< 0)
    let isEven = (bits & 1) .== 0
    let odd = bits.replacing(with: bits &+ step, where: isInexact .& isEven)
    return Floats(unsafeBitCast(odd, to: SIMD8<Double>.self))
}

/// The same for one number.
@inline(__always) func multiplyAdd(_ a: Float, _ b: Float, _ c: Float) -> Float {
    multiplyAdd(Floats(repeating: a), Floats(repeating: b), Floats(repeating: c))[0]
}

/// Eight halves. The steps are those of `Half.decode`, lane by lane.
@inline(__always) func floats(halves x: SIMD8<UInt16>) -> Floats {
    let bits = words(x)
    let sign = (bits & 0x8000) &<< 16
    let magnitude = bits & 0x7FFF
    let scaled = unsafeBitCast(magnitude &<< 13, to: Floats.self) * Float(bitPattern: 0x7780_0000)
    let quiet = SIMD8<UInt32>(repeating: 0x7F80_0000).replacing(with: 0x7FC0_0000, where: magnitude .> 0x7C00)
    let special = quiet | magnitude &<< 13
    let finite = unsafeBitCast(scaled, to: SIMD8<UInt32>.self)
    return unsafeBitCast(sign | finite.replacing(with: special, where: magnitude .>= 0x7C00), to: Floats.self)
}

/// Eight u16, extended.
@inline(__always) func words(_ x: SIMD8<UInt16>) -> SIMD8<UInt32> { SIMD8<UInt32>(truncatingIfNeeded: x) }

/// The low halves of eight words that are below 2^16.
@inline(__always) func narrowed(_ x: Words) -> SIMD8<UInt16> { SIMD8<UInt16>(truncatingIfNeeded: x) }

/// Rounds to the nearest integer, ties to even; |x| is below 2^22: adding 1.5 * 2^23 makes the adder round.
@inline(__always) func rounded(_ x: Floats) -> Words {
    let shifter = Floats(repeating: 12_582_912)
    return unsafeBitCast(x + shifter, to: Words.self) &- unsafeBitCast(shifter, to: Words.self)
}

/// Lane r of the result is the sum of all lanes of `rows.r`.
@inline(__always) func sums(_ rows: EightWords) -> Words {
    let c = transposed(rows)
    return ((c.0 &+ c.1) &+ (c.2 &+ c.3)) &+ ((c.4 &+ c.5) &+ (c.6 &+ c.7))
}

/// The same for shorts whose total fits 16 bits.
@inline(__always) func sums(_ r: EightShorts) -> Words {
    func words(_ x: Shorts) -> Words { unsafeBitCast(x, to: Words.self) }
    func shorts(_ x: Words) -> Shorts { unsafeBitCast(x, to: Shorts.self) }
    let c = transposed(
        (words(r.0), words(r.1), words(r.2), words(r.3), words(r.4), words(r.5), words(r.6), words(r.7)))
    let low = (shorts(c.0) &+ shorts(c.1)) &+ (shorts(c.2) &+ shorts(c.3))
    let high = (shorts(c.4) &+ shorts(c.5)) &+ (shorts(c.6) &+ shorts(c.7))
    return widen(low &+ high, Shorts(repeating: 1))
}

/// Turns eight rows of eight words into eight columns.
@inline(__always) func transposed(_ r: EightWords) -> EightWords {
    func zip(_ a: Words, _ b: Words) -> (Words, Words) {
        (
            Words(a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3]),
            Words(a[4], b[4], a[5], b[5], a[6], b[6], a[7], b[7])
        )
    }
    // Three rounds of interleaving rows i and i + 4.
    let (a0, a1) = zip(r.0, r.4)
    let (a2, a3) = zip(r.1, r.5)
    let (a4, a5) = zip(r.2, r.6)
    let (a6, a7) = zip(r.3, r.7)
    let (b0, b1) = zip(a0, a4)
    let (b2, b3) = zip(a1, a5)
    let (b4, b5) = zip(a2, a6)
    let (b6, b7) = zip(a3, a7)
    let (c0, c1) = zip(b0, b4)
    let (c2, c3) = zip(b1, b5)
    let (c4, c5) = zip(b2, b6)
    let (c6, c7) = zip(b3, b7)
    return (c0, c1, c2, c3, c4, c5, c6, c7)
}

/// Products added to others.
@inline(__always) func adding(_ sum: Products, _ codes: Bytes, _ activations: Bytes) -> Products {
    sum &+ pairs(codes, activations)
}
@inline(__always) func adding(_ sum: Products, signed codes: Bytes, _ activations: Bytes) -> Products {
    sum &+ signedPairs(codes, activations)
}

/// Whether tiles take signed codes as unsigned ones with 128 added.
@inline(__always) var tilesAreUnsigned: Bool { false }

/// How many products are added before they are widened: as many as 16 bits hold.
@inline(__always) func tileUnit(_ unit: Int, hasScales: Bool, hasHalfScales: Bool) -> Int { unit }
