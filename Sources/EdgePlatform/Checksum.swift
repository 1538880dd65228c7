/// XXH64 (Yann Collet, xxHash specification 0.1.1): finds damage, and tells files apart. No protection against forgery.
package enum Checksum {
    package static func of(_ bytes: [UInt8], seed: UInt64 = 0) -> UInt64 { of(bytes.span.bytes, seed: seed) }

    package static func of(_ view: ByteView, seed: UInt64 = 0) -> UInt64 {
        view.withUnsafeBytes { hash($0, seed) }
    }

    package static func of(_ span: RawSpan, seed: UInt64 = 0) -> UInt64 {
        span.withUnsafeBytes { hash($0, seed) }
    }

    private static let primes: (UInt64, UInt64, UInt64, UInt64, UInt64) = (
        0x9E37_79B1_85EB_CA87, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x85EB_CA77_C2B2_AE63,
        0x27D4_EB2F_1656_67C5
    )

    @inline(__always)
    private static func rotated(_ x: UInt64, _ count: UInt64) -> UInt64 { x &<< count | x &>> (64 &- count) }

    @inline(__always)
    private static func round(_ lane: UInt64, _ input: UInt64) -> UInt64 {
        rotated(lane &+ input &* primes.1, 31) &* primes.0
    }

    private static func hash(_ bytes: UnsafeRawBufferPointer, _ seed: UInt64) -> UInt64 {
        let count = bytes.count
        var offset = 0
        func word(_ offset: Int) -> UInt64 {
            UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        var result = seed &+ primes.4
        if count >= 32 {
            var a = seed &+ primes.0 &+ primes.1
            var b = seed &+ primes.1
            var c = seed
            var d = seed &- primes.0
            while offset <= count - 32 {
                a = round(a, word(offset))
                b = round(b, word(offset + 8))
                c = round(c, word(offset + 16))
                d = round(d, word(offset + 24))
                offset += 32
            }
            result = rotated(a, 1) &+ rotated(b, 7) &+ rotated(c, 12) &+ rotated(d, 18)
            for lane in [a, b, c, d] { result = (result ^ round(0, lane)) &* primes.0 &+ primes.3 }
        }
        result = result &+ UInt64(count)
        while offset <= count - 8 {
            result = rotated(result ^ round(0, word(offset)), 27) &* primes.0 &+ primes.3
            offset += 8
        }
        if offset <= count - 4 {
            let half = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            result = rotated(result ^ UInt64(half) &* primes.0, 23) &* primes.1 &+ primes.2
            offset += 4
        }
        while offset < count {
            result = rotated(result ^ UInt64(bytes[offset]) &* primes.4, 11) &* primes.0
            offset += 1
        }
        result = (result ^ result &>> 33) &* primes.1
        result = (result ^ result &>> 29) &* primes.2
        return result ^ result &>> 32
    }
}
