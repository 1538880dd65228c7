internal import EdgeKernelJobs

// Decoding: one token, or two or three. Eight rows at a time as they lie in the file. Each row's block gives a vector of partial
// sums; a tree of additions turns eight such vectors into one with a lane a row, and the float step runs on that.

/// The integer sums of one row's block: s * code * q less the offset's part, in eight parts.
@inline(__always)
private func partialSums<F: BlockFormat>(
    _ format: F.Type, _ block: UnsafeRawPointer, _ activations: UnsafeRawPointer, _ activationSums: UnsafeRawPointer
) -> Words {
    if F.groupCount == 1 {
        let q = activations.loadUnaligned(as: Bytes.self)
        return widen(F.products(F.codes(block, group: 0), q), Shorts(repeating: 1))
    }
    var total = Words()
    if F.hasScales {
        let scales = F.scales(block)
        let ordered = evenOdd(scales)
        for group in 0..<8 {
            let q = activations.loadUnaligned(fromByteOffset: 32 &* group, as: Bytes.self)
            total &+= widen(F.products(F.codes(block, group: group), q), scale(ordered, group: group))
        }
        if F.offset != 0 {
            let q = activationSums.loadUnaligned(as: Shorts.self)
            total &-= widen(scales &* F.offset, q)
        }
    } else {
        // At most four groups of ternary codes, whose sums of products stay within 16 bits.
        for half in 0..<2 {
            var sum = Shorts()
            for group in 4 &* half..<4 &* half &+ 4 {
                let q = activations.loadUnaligned(fromByteOffset: 32 &* group, as: Bytes.self)
                sum &+= F.products(F.codes(block, group: group), q)
            }
            total &+= widen(sum, Shorts(repeating: 1))
        }
        if F.offset != 0 {
            let q = activationSums.loadUnaligned(as: Shorts.self)
            total &-= widen(Shorts(repeating: F.offset), q)
        }
    }
    return total
}

/// One token by all rows of the job.
@inline(__always)
private func vectorProduct<F: BlockFormat>(
    _ format: F.Type, _ job: UnsafePointer<ProductJob>, rows: EightPointers, token: Int
) -> Floats {
    let blockLength = 32 &* F.groupCount
    let blocks = job.pointee.columnCount / blockLength
    var q = job.pointee.codes + token &* job.pointee.codeStride
    let scales = job.pointee.scales + token &* job.pointee.scaleStride
    var sum16 = UnsafeRawPointer(job.pointee.sums + token &* job.pointee.sumStride)
    var r = rows
    var acc = Floats()
    for block in 0..<blocks {
        var integers: Words
        if F.groupCount == 1, !F.isSigned {
            let a = q.loadUnaligned(as: Bytes.self)
            let parts: EightShorts = (
                F.products(F.codes(r.0, group: 0), a), F.products(F.codes(r.1, group: 0), a),
                F.products(F.codes(r.2, group: 0), a), F.products(F.codes(r.3, group: 0), a),
                F.products(F.codes(r.4, group: 0), a), F.products(F.codes(r.5, group: 0), a),
                F.products(F.codes(r.6, group: 0), a), F.products(F.codes(r.7, group: 0), a)
            )
            // Codes to 15 keep a whole block's sum within 16 bits.
            if F.unit == 8 {
                integers = sums(parts)
            } else {
                let ones = Shorts(repeating: 1)
                integers = sums(
                    (
                        widen(parts.0, ones), widen(parts.1, ones), widen(parts.2, ones), widen(parts.3, ones),
                        widen(parts.4, ones), widen(parts.5, ones), widen(parts.6, ones), widen(parts.7, ones)
                    ))
            }
        } else {
            integers = sums(
                (
                    partialSums(F.self, r.0, q, sum16), partialSums(F.self, r.1, q, sum16),
                    partialSums(F.self, r.2, q, sum16), partialSums(F.self, r.3, q, sum16),
                    partialSums(F.self, r.4, q, sum16), partialSums(F.self, r.5, q, sum16),
                    partialSums(F.self, r.6, q, sum16), partialSums(F.self, r.7, q, sum16)
                ))
        }
        if F.groupCount == 1, F.offset != 0 {
            integers &-= widen(unsafeBitCast(repeated(sum16), to: Shorts.self), Shorts(repeating: F.offset))
        }
        let a = scales[block]
        acc += floats(integers) * (F.factors(r, 0) * a)
        if F.hasMinimum {
            let minimums: Words
            if F.groupCount == 1 {
                minimums = widen(unsafeBitCast(repeated(sum16), to: Shorts.self), Shorts(repeating: 1))
            } else {
                let s = sum16.loadUnaligned(as: Shorts.self)
                minimums = sums(
                    (
                        widen(F.minimums(r.0), s), widen(F.minimums(r.1), s), widen(F.minimums(r.2), s),
                        widen(F.minimums(r.3), s), widen(F.minimums(r.4), s), widen(F.minimums(r.5), s),
                        widen(F.minimums(r.6), s), widen(F.minimums(r.7), s)
                    ))
            }
            acc += floats(minimums) * (F.minimumFactors(r, 0) * a)
        }
        q += blockLength
        sum16 += 4 &* F.groupCount
        r = (
            r.0 + F.byteCount, r.1 + F.byteCount, r.2 + F.byteCount, r.3 + F.byteCount, r.4 + F.byteCount,
            r.5 + F.byteCount, r.6 + F.byteCount, r.7 + F.byteCount
        )
    }
    return acc
}

/// All rows of the job by each of its few tokens.
@inline(__always)
func vectorProducts<F: BlockFormat>(_ format: F.Type, _ job: UnsafePointer<ProductJob>) {
    let count = job.pointee.rowCount
    var first = 0
    while first < count {
        let rows = rowPointers(job.pointee.weights, job.pointee.rowByteCount, first: first, count: count)
        for token in 0..<job.pointee.tokenCount {
            let result = vectorProduct(F.self, job, rows: rows, token: token)
            store(
                result, job.pointee.output + (token &* job.pointee.outputStride &+ first), count: count &- first,
                isAccumulating: job.pointee.isAccumulating)
        }
        first &+= 8
    }
}
