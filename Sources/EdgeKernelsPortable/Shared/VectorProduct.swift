internal import EdgeKernelJobs

// Decoding: one token, or two or three. Rows are read as they lie in the file, from end to end, since memory is what limits this
// and the processor's prefetcher follows one stream best. Eight blocks at a time are multiplied, each giving a vector of partial
// sums; a tree of additions turns eight such vectors into one with a lane a block; scales follow. When the terms of eight rows
// are there, they are added up in ascending block order with a lane a row.

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

/// Eight vectors, `stride` bytes apart.
@inline(__always)
private func loadEight(_ p: UnsafeMutableRawPointer, stride: Int) -> EightWords {
    (
        p.load(as: Words.self), p.load(fromByteOffset: stride, as: Words.self),
        p.load(fromByteOffset: 2 &* stride, as: Words.self), p.load(fromByteOffset: 3 &* stride, as: Words.self),
        p.load(fromByteOffset: 4 &* stride, as: Words.self), p.load(fromByteOffset: 5 &* stride, as: Words.self),
        p.load(fromByteOffset: 6 &* stride, as: Words.self), p.load(fromByteOffset: 7 &* stride, as: Words.self)
    )
}

/// The terms of one row: `terms[b]` = Float(sum) * (d * a) of block b, and the minimums' after `minimumOffset` bytes.
@inline(__always)
private func rowTerms<F: BlockFormat>(
    _ format: F.Type, _ row: UnsafeRawPointer, blocks: Int, codes: UnsafeRawPointer, scales: UnsafeRawPointer,
    sums activationSums: UnsafeRawPointer, terms: UnsafeMutableRawPointer, minimumOffset: Int,
    parts: UnsafeMutableRawPointer
) {
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

/// Adds up the terms of eight rows, block after block, a lane a row.
@inline(__always)
private func addTerms<F: BlockFormat>(
    _ format: F.Type, _ terms: UnsafeMutableRawPointer, stride: Int, minimumOffset: Int, blocks: Int,
    _ columns: UnsafeMutableRawPointer
) -> Floats {
    @inline(__always) func term(_ x: Words) -> Floats { unsafeBitCast(x, to: Floats.self) }
    var acc = Floats()
    var block = 0
    while block < blocks {
        let c = transposed(loadEight(terms + 4 &* block, stride: stride))
        if !F.hasMinimum, blocks &- block >= 8 {
            acc = acc + term(c.0) + term(c.1) + term(c.2) + term(c.3) + term(c.4) + term(c.5) + term(c.6) + term(c.7)
        } else if F.hasMinimum, blocks &- block >= 8 {
            let m = transposed(loadEight(terms + (minimumOffset &+ 4 &* block), stride: stride))
            acc = acc + term(c.0) + term(m.0) + term(c.1) + term(m.1) + term(c.2) + term(m.2) + term(c.3) + term(m.3)
            acc = acc + term(c.4) + term(m.4) + term(c.5) + term(m.5) + term(c.6) + term(m.6) + term(c.7) + term(m.7)
        } else {
            storeEight(c, columns)
            if F.hasMinimum {
                storeEight(
                    transposed(loadEight(terms + (minimumOffset &+ 4 &* block), stride: stride)), columns + 256)
            }
            for k in 0..<min(8, blocks &- block) {
                acc += columns.load(fromByteOffset: 32 &* k, as: Floats.self)
                if F.hasMinimum { acc += columns.load(fromByteOffset: 256 &+ 32 &* k, as: Floats.self) }
            }
        }
        block &+= 8
    }
    return acc
}

@inline(__always)
private func storeEight(_ c: EightWords, _ p: UnsafeMutableRawPointer) {
    p.storeBytes(of: c.0, as: Words.self)
    p.storeBytes(of: c.1, toByteOffset: 32, as: Words.self)
    p.storeBytes(of: c.2, toByteOffset: 64, as: Words.self)
    p.storeBytes(of: c.3, toByteOffset: 96, as: Words.self)
    p.storeBytes(of: c.4, toByteOffset: 128, as: Words.self)
    p.storeBytes(of: c.5, toByteOffset: 160, as: Words.self)
    p.storeBytes(of: c.6, toByteOffset: 192, as: Words.self)
    p.storeBytes(of: c.7, toByteOffset: 224, as: Words.self)
}

/// All rows of the job by each of its few tokens.
@inline(__always)
func vectorProducts<F: BlockFormat>(_ format: F.Type, _ job: UnsafePointer<ProductJob>) {
    let j = job.pointee
    let blocks = j.columnCount / (32 &* F.groupCount)
    // Scratch: two vectors of eight, then [8 rows][blocks, in whole eights] of terms, and the same of minimums.
    let parts = j.scratch
    let terms = j.scratch + 512
    let stride = (blocks &+ 7) / 8 &* 32
    var first = 0
    while first < j.rowCount {
        for token in 0..<j.tokenCount {
            for row in 0..<min(8, j.rowCount &- first) {
                rowTerms(
                    F.self, j.weights + (first &+ row) &* j.rowByteCount, blocks: blocks,
                    codes: j.codes + token &* j.codeStride,
                    scales: UnsafeRawPointer(j.scales + token &* j.scaleStride),
                    sums: UnsafeRawPointer(j.sums + token &* j.sumStride), terms: terms + row &* stride,
                    minimumOffset: 8 &* stride, parts: parts)
            }
            let result = addTerms(
                F.self, terms, stride: stride, minimumOffset: 8 &* stride, blocks: blocks, parts)
            store(
                result, j.output + (token &* j.outputStride &+ first), count: j.rowCount &- first,
                isAccumulating: j.isAccumulating)
        }
        first &+= 8
    }
}
