internal import EdgeKernelJobs

// Attention of several queries to one block of positions. Scores and outputs are the same small product of matrices: some rows
// times a matrix whose columns lie beside one another, each sum in ascending order, products and sums rounded separately. So a
// query's bits do not depend on how many others pass the block with it.

/// Folds the block into the running maximum, sum and weighted values of each query.
func foldBlock(_ job: UnsafePointer<AttentionJob>) {
    let job = job.pointee
    let length = AttentionJob.blockLength
    if let coded = job.coded {
        addCodedScores(job, coded)
        for query in 0..<job.queryCount { foldScores(job, query) }
        addCodedValues(job, coded)
        return
    }
    addProducts(
        SmallProduct(
            rows: job.queries, rowStride: job.headSize, rowCount: job.queryCount, matrix: job.keys,
            matrixStride: length,
            termCount: job.headSize, width: length, output: job.scores, outputStride: length, factors: nil))
    for query in 0..<job.queryCount { foldScores(job, query) }
    addProducts(
        SmallProduct(
            rows: job.scores + job.lower, rowStride: length, rowCount: job.queryCount,
            matrix: job.values + job.lower &* job.headSize, matrixStride: job.headSize,
            termCount: job.upper &- job.lower, width: job.headSize, output: job.outputs, outputStride: job.headSize,
            factors: UnsafePointer(job.factors)))
}

/// Scores become weights, with the softmax's maximum and sum running along.
@inline(__always)
private func foldScores(_ job: AttentionJob, _ query: Int) {
    let scores = job.scores + query &* AttentionJob.blockLength
    var low = Lanes(loading: scores) * job.scale
    var high = Lanes(loading: scores + 16) * job.scale
    if job.softcap > 0 {
        low = softCapped(low, job.softcap)
        high = softCapped(high, job.softcap)
    }
    if job.upper &- job.lower < AttentionJob.blockLength {
        low.store(to: scores)
        high.store(to: scores + 16)
        for j in 0..<job.lower { scores[j] = -.infinity }
        for j in job.upper..<AttentionJob.blockLength { scores[j] = -.infinity }
        low = Lanes(loading: scores)
        high = Lanes(loading: scores + 16)
    }
    let blockMaximum = low.replacing(with: high, where: low .< high).largest
    let maximum = job.maxima[query]
    let newMaximum = maximum < blockMaximum ? blockMaximum : maximum
    // Mostly the maximum stands; e^0 is exactly 1.
    let factor = maximum == newMaximum ? 1 : exponential(maximum - newMaximum)
    low = exponential(low - newMaximum)
    high = exponential(high - newMaximum)
    low.store(to: scores)
    high.store(to: scores + 16)
    job.factors[query] = factor
    job.sums[query] = job.sums[query] * factor + (low + high).tree
    job.maxima[query] = newMaximum
}

/// output[r, c] = output[r, c] * factors[r] + sum over t of rows[r, t] * matrix[t, c]; without factors the sum alone.
private struct SmallProduct {
    var rows: UnsafePointer<Float>
    var rowStride: Int
    var rowCount: Int
    var matrix: UnsafePointer<Float>
    var matrixStride: Int
    var termCount: Int
    var width: Int
    var output: UnsafeMutablePointer<Float>
    var outputStride: Int
    var factors: UnsafePointer<Float>?
}

/// Two rows by 32 columns stay in registers while all terms pass.
@inline(__always)
private func addProducts(_ p: SmallProduct) {
    var c = 0
    while c &+ 32 <= p.width {
        var r = 0
        while r &+ 2 <= p.rowCount {
            addTwoRows(p, r, c)
            r &+= 2
        }
        if r < p.rowCount { addOneRow(p, r, c) }
        c &+= 32
    }
    while c &+ 8 <= p.width {
        for r in 0..<p.rowCount { addEight(p, r, c) }
        c &+= 8
    }
    while c < p.width {
        for r in 0..<p.rowCount {
            let target = p.output + (r &* p.outputStride &+ c)
            var sum = p.factors.map { target.pointee * $0[r] } ?? 0
            for t in 0..<p.termCount { sum += p.matrix[t &* p.matrixStride &+ c] * p.rows[r &* p.rowStride &+ t] }
            target.pointee = sum
        }
        c &+= 1
    }
}

private typealias FourFloats = (Floats, Floats, Floats, Floats)

@inline(__always)
private func start(_ p: SmallProduct, _ r: Int, _ c: Int) -> FourFloats {
    guard let factors = p.factors else { return (Floats(), Floats(), Floats(), Floats()) }
    let target = UnsafeRawPointer(p.output + (r &* p.outputStride &+ c))
    let factor = factors[r]
    return (
        target.loadUnaligned(as: Floats.self) * factor,
        target.loadUnaligned(fromByteOffset: 32, as: Floats.self) * factor,
        target.loadUnaligned(fromByteOffset: 64, as: Floats.self) * factor,
        target.loadUnaligned(fromByteOffset: 96, as: Floats.self) * factor
    )
}

@inline(__always)
private func store(_ sums: FourFloats, _ p: SmallProduct, _ r: Int, _ c: Int) {
    let target = UnsafeMutableRawPointer(p.output + (r &* p.outputStride &+ c))
    target.storeBytes(of: sums.0, as: Floats.self)
    target.storeBytes(of: sums.1, toByteOffset: 32, as: Floats.self)
    target.storeBytes(of: sums.2, toByteOffset: 64, as: Floats.self)
    target.storeBytes(of: sums.3, toByteOffset: 96, as: Floats.self)
}

@inline(__always)
private func addTwoRows(_ p: SmallProduct, _ r: Int, _ c: Int) {
    var a = start(p, r, c)
    var b = start(p, r &+ 1, c)
    let first = p.rows + r &* p.rowStride
    let second = first + p.rowStride
    var source = UnsafeRawPointer(p.matrix + c)
    for t in 0..<p.termCount {
        let x = first[t]
        let y = second[t]
        let m0 = source.loadUnaligned(as: Floats.self)
        a.0 += m0 * x
        b.0 += m0 * y
        let m1 = source.loadUnaligned(fromByteOffset: 32, as: Floats.self)
        a.1 += m1 * x
        b.1 += m1 * y
        let m2 = source.loadUnaligned(fromByteOffset: 64, as: Floats.self)
        a.2 += m2 * x
        b.2 += m2 * y
        let m3 = source.loadUnaligned(fromByteOffset: 96, as: Floats.self)
        a.3 += m3 * x
        b.3 += m3 * y
        source += 4 &* p.matrixStride
    }
    store(a, p, r, c)
    store(b, p, r &+ 1, c)
}

@inline(__always)
private func addOneRow(_ p: SmallProduct, _ r: Int, _ c: Int) {
    var a = start(p, r, c)
    let row = p.rows + r &* p.rowStride
    var source = UnsafeRawPointer(p.matrix + c)
    for t in 0..<p.termCount {
        let x = row[t]
        a.0 += source.loadUnaligned(as: Floats.self) * x
        a.1 += source.loadUnaligned(fromByteOffset: 32, as: Floats.self) * x
        a.2 += source.loadUnaligned(fromByteOffset: 64, as: Floats.self) * x
        a.3 += source.loadUnaligned(fromByteOffset: 96, as: Floats.self) * x
        source += 4 &* p.matrixStride
    }
    store(a, p, r, c)
}

@inline(__always)
private func addEight(_ p: SmallProduct, _ r: Int, _ c: Int) {
    let target = UnsafeMutableRawPointer(p.output + (r &* p.outputStride &+ c))
    var sum = p.factors.map { target.loadUnaligned(as: Floats.self) * $0[r] } ?? Floats()
    let row = p.rows + r &* p.rowStride
    for t in 0..<p.termCount {
        sum += UnsafeRawPointer(p.matrix + (t &* p.matrixStride &+ c)).loadUnaligned(as: Floats.self) * row[t]
    }
    target.storeBytes(of: sum, as: Floats.self)
}
