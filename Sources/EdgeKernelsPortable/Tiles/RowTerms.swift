// The terms of a row's blocks for one token, for registers of 256 bits: see `VectorProduct.swift`. Eight blocks at a time are
// multiplied, each giving a vector of partial sums; a tree of additions turns eight such vectors into one with a lane a block;
// scales follow.

/// What the tiles of a room ask of a block format beside `BlockFormat`: of these, nothing.
protocol TileFormat {}

/// Blocks whose terms are computed together: rows of terms are a whole number of them.
@inline(__always) var termBlocks: Int { 8 }
/// Bytes of scratch for partial sums and columns.
@inline(__always) var partByteCount: Int { 512 }

/// The integer sums of one block, in eight parts: s * code * q, less the offset's part where there are scales.
@inline(__always)
private func partialSums<F: BlockFormat>(
    _ format: F.Type, _ block: UnsafeRawPointer, _ activations: UnsafeRawPointer, _ activationSums: UnsafeRawPointer
) -> Words {
    let ones = Shorts(repeating: 1)
    if F.groupCount == 1 {
        return widen(F.products(F.codes(block, group: 0), activations.loadUnaligned(as: Bytes.self)), ones)
    }
    var total = Words()
    if F.hasScales {
        let scales = F.scales(block)
        let ordered = evenOdd(scales)
        for group in 0..<8 {
            let q = activations.loadUnaligned(fromByteOffset: 32 &* group, as: Bytes.self)
            total &+= widen(F.products(F.codes(block, group: group), q), scale(ordered, group: group))
        }
        if F.offset != 0 { total &-= widen(scales &* F.offset, activationSums.loadUnaligned(as: Shorts.self)) }
    } else {
        for half in 0..<2 {
            // Ternary codes: four groups' products add up within 16 bits.
            var sum = Products()
            for group in 4 &* half..<4 &* half &+ 4 {
                let q = activations.loadUnaligned(fromByteOffset: 32 &* group, as: Bytes.self)
                sum &+= F.products(F.codes(block, group: group), q)
            }
            total &+= widen(sum, ones)
        }
        total &-= widen(Shorts(repeating: F.offset), activationSums.loadUnaligned(as: Shorts.self))
    }
    return total
}

/// The integer sums of eight blocks of a row, a lane a block; of `count` blocks when fewer are left.
@inline(__always)
private func blockSums<F: BlockFormat>(
    _ format: F.Type, _ p: UnsafeRawPointer, _ q: UnsafeRawPointer, _ s: UnsafeRawPointer, count: Int,
    isFull: Bool, _ parts: UnsafeMutableRawPointer
) -> Words {
    if F.groupCount == 1, isFull {
        @inline(__always) func part(_ k: Int) -> Products {
            F.products(
                F.codes(p + k &* F.byteCount, group: 0), q.loadUnaligned(fromByteOffset: 32 &* k, as: Bytes.self))
        }
        // Codes to 15 keep the sum of a whole block within 16 bits.
        if F.unit == 8 {
            return sums((part(0), part(1), part(2), part(3), part(4), part(5), part(6), part(7)))
        }
        let ones = Shorts(repeating: 1)
        return sums(
            (
                widen(part(0), ones), widen(part(1), ones), widen(part(2), ones), widen(part(3), ones),
                widen(part(4), ones), widen(part(5), ones), widen(part(6), ones), widen(part(7), ones)
            ))
    }
    for k in 0..<min(8, count) {
        let part = partialSums(
            F.self, p + k &* F.byteCount, q + 32 &* F.groupCount &* k, s + 4 &* F.groupCount &* k)
        parts.storeBytes(of: part, toByteOffset: 32 &* k, as: Words.self)
    }
    return sums(loadEight(parts, stride: 32))
}

/// The terms of one row: `terms[b]` = Float(sum) * (d * a) of block b, and the minimums' after `minimumOffset`
/// bytes. From `ahead` on one of `shares` of a row is asked for.
@inline(__always)
func rowTerms<F: BlockFormat>(
    _ format: F.Type, _ row: UnsafeRawPointer, blocks: Int, codes: UnsafeRawPointer, scales: UnsafeRawPointer,
    sums activationSums: UnsafeRawPointer, terms: UnsafeMutableRawPointer, minimumOffset: Int,
    parts: UnsafeMutableRawPointer, ahead: UnsafeRawPointer, shares: Int
) {
    let share = 8 &* F.byteCount / shares
    var ahead = ahead
    var p = row
    var q = codes
    var s = activationSums
    var block = 0
    while block &+ 8 <= blocks {
        eight(left: 8, isFull: true)
        block &+= 8
    }
    if block < blocks { eight(left: blocks &- block, isFull: false) }

    @inline(__always) func eight(left: Int, isFull: Bool) {
        prefetch(ahead, byteCount: 8 &* F.byteCount, share: share)
        ahead += share
        var integers = blockSums(F.self, p, q, s, count: left, isFull: isFull, parts)
        if F.groupCount == 1, F.offset != 0 {
            integers &-= widen(s.loadUnaligned(as: Shorts.self), Shorts(repeating: F.offset))
        }
        // Past the last block the last one's scale stands in; its term is not added.
        let all = isFull ? consecutive(p, F.byteCount) : rowPointers(p, F.byteCount, first: 0, count: left)
        let a = scales.loadUnaligned(fromByteOffset: 4 &* block, as: Floats.self)
        terms.storeBytes(
            of: floats(integers) * (F.factors(all) * a), toByteOffset: 4 &* block, as: Floats.self)
        if F.hasMinimum {
            let minimums: Words
            if F.groupCount == 1 {
                minimums = widen(s.loadUnaligned(as: Shorts.self), Shorts(repeating: 1))
            } else {
                for k in 0..<min(8, left) {
                    let part = widen(
                        F.minimums(p + k &* F.byteCount), s.loadUnaligned(fromByteOffset: 32 &* k, as: Shorts.self))
                    parts.storeBytes(of: part, toByteOffset: 32 &* k, as: Words.self)
                }
                minimums = sums(loadEight(parts, stride: 32))
            }
            terms.storeBytes(
                of: floats(minimums) * (F.minimumFactors(all) * a), toByteOffset: minimumOffset &+ 4 &* block,
                as: Floats.self)
        }
        p += 8 &* F.byteCount
        q += 256 &* F.groupCount
        s += 32 &* F.groupCount
    }
}
