internal import EdgeKernelJobs

// Attention to keys and values that are stored as codes, in integers. A key's score is, block of 32 components by block, the exact
// integer product of its codes with the query's, times both scales; a query is the sum of two such terms, the second of what the
// first leaves, or its rounding would cost as much as the key's. Values are added up over the 32 positions of a block likewise:
// each position's weight times its scale is rounded to 15 bits and a sign, to the largest of the block's, and the integer product
// with the codes is exact. So all sums that could depend on their order are of integers.

/// The scores of the block's positions, unscaled.
@inline(__always)
func addCodedScores(_ job: AttentionJob, _ coded: CodedBlock) {
    let keyByteCount = coded.isNibbles ? 16 : 32
    let ones = Shorts(repeating: 1)
    for query in 0..<job.queryCount {
        let scores = UnsafeMutableRawPointer(job.scores + query &* AttentionJob.blockLength)
        let first = 2 &* query &* coded.blockCount
        for eight in 0..<4 {
            var total = Floats()
            for block in 0..<coded.blockCount {
                let second = first &+ coded.blockCount
                let k = coded.keyCodes + (block &* AttentionJob.blockLength &+ 8 &* eight) &* keyByteCount
                @inline(__always) func part(_ position: Int, _ q: Bytes) -> Words {
                    if coded.isNibbles { return widen(pairs(nibbles(k + 16 &* position), q), ones) }
                    return widen(signedPairs((k + 32 &* position).loadUnaligned(as: Bytes.self), q), ones)
                }
                @inline(__always) func dots(_ term: Int) -> Floats {
                    let q = (coded.queryCodes + 32 &* term).loadUnaligned(as: Bytes.self)
                    var dots = sums(
                        (
                            part(0, q), part(1, q), part(2, q), part(3, q), part(4, q), part(5, q), part(6, q),
                            part(7, q)
                        ))
                    if coded.isNibbles {
                        let sums = coded.querySums + 2 &* term
                        dots &-= Words(repeating: 8 &* (Int32(sums[0]) &+ Int32(sums[1])))
                    }
                    return floats(dots) * coded.queryScales[term]
                }
                let scales = UnsafeRawPointer(
                    coded.keyScales + (block &* AttentionJob.blockLength &+ 8 &* eight)
                ).loadUnaligned(as: SIMD8<UInt16>.self)
                total += (dots(first &+ block) + dots(second &+ block)) * floats(halves: scales)
            }
            scores.storeBytes(of: total, toByteOffset: 32 &* eight, as: Floats.self)
        }
    }
}

/// Adds the weighted values of the block to the outputs, after these were multiplied with their factors.
@inline(__always)
func addCodedValues(_ job: AttentionJob, _ coded: CodedBlock) {
    let length = AttentionJob.blockLength
    let shares = coded.scratch
    let codes = UnsafeMutableRawPointer(coded.scratch + length)
    for query in 0..<job.queryCount {
        let weights = UnsafeRawPointer(job.scores + query &* length)
        let factor = job.factors[query]
        for block in 0..<coded.blockCount {
            let scales = UnsafeRawPointer(coded.valueScales + block &* length)
            for eight in 0..<4 {
                let scale = floats(halves: scales.loadUnaligned(fromByteOffset: 16 &* eight, as: SIMD8<UInt16>.self))
                let share = weights.loadUnaligned(fromByteOffset: 32 &* eight, as: Floats.self) * scale
                UnsafeMutableRawPointer(shares).storeBytes(of: share, toByteOffset: 32 &* eight, as: Floats.self)
            }
            // Positions that are not seen may have any scale.
            for position in 0..<job.lower { shares[position] = 0 }
            for position in job.upper..<length { shares[position] = 0 }
            let (scale, sum) = round(shares, to: codes)
            addCodedGroup(job, coded, block, query, codes, scale: scale, sum: sum, factor: factor)
        }
    }
}

/// Rounds 32 shares to 15 bits and a sign; gives what one of these is worth, NaN where a share is, and their sum.
@inline(__always)
private func round(_ shares: UnsafeMutablePointer<Float>, to codes: UnsafeMutableRawPointer) -> (Float, Int32) {
    let low = Lanes(loading: shares)
    let high = Lanes(loading: shares + 16)
    let a = low.replacing(with: -low, where: low .< 0)
    let b = high.replacing(with: -high, where: high .< 0)
    let largest = a.replacing(with: b, where: a .< b).largest
    var scale = largest / 32_767
    var inverse = 32_767 / largest
    if !(inverse < .infinity) {
        scale = 0
        inverse = 0
    }
    scale += (low + high).tree * 0
    var total = Words()
    for eight in 0..<4 {
        let share = UnsafeRawPointer(shares).loadUnaligned(fromByteOffset: 32 &* eight, as: Floats.self)
        let code = rounded(share * inverse)
        total &+= code
        codes.storeBytes(of: narrowed(code & 0xFFFF), toByteOffset: 16 &* eight, as: SIMD8<UInt16>.self)
    }
    var sum: Int32 = 0
    for lane in 0..<8 { sum &+= total[lane] }
    return (scale, sum)
}

/// The 32 components of one block: pairs of positions lie together, so that one step adds two.
@inline(__always)
private func addCodedGroup(
    _ job: AttentionJob, _ coded: CodedBlock, _ block: Int, _ query: Int, _ weights: UnsafeMutableRawPointer,
    scale: Float, sum: Int32, factor: Float
) {
    var (a, b, c, d) = (Words(), Words(), Words(), Words())
    if coded.isNibbles {
        var source = coded.valueCodes + block &* 512
        for pair in 0..<16 {
            let weight = unsafeBitCast(
                SIMD8<UInt32>(repeating: weights.load(fromByteOffset: 4 &* pair, as: UInt32.self)), to: Shorts.self)
            let first = source.loadUnaligned(as: SIMD2<UInt64>.self)
            let second = source.loadUnaligned(fromByteOffset: 16, as: SIMD2<UInt64>.self)
            a &+= widen(shorts(first, right: 0, mask: 15), weight)
            b &+= widen(shorts(first, right: 4, mask: 15), weight)
            c &+= widen(shorts(second, right: 0, mask: 15), weight)
            d &+= widen(shorts(second, right: 4, mask: 15), weight)
            source += 32
        }
        let offset = Words(repeating: 8 &* sum)
        a &-= offset
        b &-= offset
        c &-= offset
        d &-= offset
    } else {
        var source = coded.valueCodes + block &* 1024
        for pair in 0..<16 {
            let weight = unsafeBitCast(
                SIMD8<UInt32>(repeating: weights.load(fromByteOffset: 4 &* pair, as: UInt32.self)), to: Shorts.self)
            a &+= widen(shorts(source.loadUnaligned(as: SIMD16<Int8>.self)), weight)
            b &+= widen(shorts(source.loadUnaligned(fromByteOffset: 16, as: SIMD16<Int8>.self)), weight)
            c &+= widen(shorts(source.loadUnaligned(fromByteOffset: 32, as: SIMD16<Int8>.self)), weight)
            d &+= widen(shorts(source.loadUnaligned(fromByteOffset: 48, as: SIMD16<Int8>.self)), weight)
            source += 64
        }
    }
    let output = job.outputs + (query &* job.headSize &+ 32 &* block)
    let left = job.headSize &- 32 &* block
    @inline(__always) func add(_ sums: Words, at offset: Int) {
        let term = floats(sums) * scale
        if offset &+ 8 <= left {
            let target = UnsafeMutableRawPointer(output + offset)
            target.storeBytes(of: target.loadUnaligned(as: Floats.self) * factor + term, as: Floats.self)
        } else if offset < left {
            for lane in 0..<left &- offset { output[offset &+ lane] = output[offset &+ lane] * factor + term[lane] }
        }
    }
    add(a, at: 0)
    add(b, at: 8)
    add(c, at: 16)
    add(d, at: 24)
}
