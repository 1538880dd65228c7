/// Little-endian numbers in a block's bytes. Indexes are checked by `Span`.
extension Span where Element == UInt8 {
    @inline(__always)
    func u16(_ at: Int) -> UInt16 { UInt16(self[at]) | UInt16(self[at + 1]) &<< 8 }

    @inline(__always)
    func u32(_ at: Int) -> UInt32 { UInt32(u16(at)) | UInt32(u16(at + 2)) &<< 16 }

    @inline(__always)
    func u64(_ at: Int) -> UInt64 { UInt64(u32(at)) | UInt64(u32(at + 4)) &<< 32 }

    @inline(__always)
    func half(_ at: Int) -> Float { Half.decode(u16(at)) }
}

extension MutableSpan where Element == UInt8 {
    /// Stores the lowest `count` bytes of a number, lowest first.
    @inline(__always)
    mutating func store(_ value: UInt64, at index: Int, count: Int) {
        for k in 0..<count { self[index + k] = UInt8(truncatingIfNeeded: value &>> (8 * UInt64(k))) }
    }

    @inline(__always)
    mutating func storeHalf(_ value: Float, at index: Int) { store(UInt64(Half.encode(value)), at: index, count: 2) }
}
