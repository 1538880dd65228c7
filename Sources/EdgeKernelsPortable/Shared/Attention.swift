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

/// Two rows by 32 columns, or four, stay in registers while all terms pass.
@inline(__always)
private func addProducts(_ p: SmallProduct) {
    var c = 0
    while c &+ 32 <= p.width {
        var r = 0
        while rowsInRegisters == 4, r &+ 4 <= p.rowCount {
            addFourRows(p, r, c)
            r &+= 4
        }
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

private typealias TwoLanes = (Lanes, Lanes)

@inline(__always)
private func start(_ p: SmallProduct, _ r: Int, _ c: Int) -> TwoLanes {
    guard let factors = p.factors else { return (Lanes(), Lanes()) }
    let target = p.output + (r &* p.outputStride &+ c)
    return (Lanes(loading: target) * factors[r], Lanes(loading: target + 16) * factors[r])
}

@inline(__always)
private func store(_ sums: TwoLanes, _ p: SmallProduct, _ r: Int, _ c: Int) {
    let target = p.output + (r &* p.outputStride &+ c)
    sums.0.store(to: target)
    sums.1.store(to: target + 16)
}

/// Adds a term to both halves of 32 columns of a row.
@inline(__always)
private func add(_ low: Lanes, _ high: Lanes, _ x: Float, to sums: inout TwoLanes) {
    sums.0 += low * x
    sums.1 += high * x
}

@inline(__always)
private func addFourRows(_ p: SmallProduct, _ r: Int, _ c: Int) {
    var sums = (start(p, r, c), start(p, r &+ 1, c), start(p, r &+ 2, c), start(p, r &+ 3, c))
    let row = p.rows + r &* p.rowStride
    var source = p.matrix + c
    for t in 0..<p.termCount {
        let low = Lanes(loading: source)
        let high = Lanes(loading: source + 16)
        add(low, high, row[t], to: &sums.0)
        add(low, high, row[p.rowStride &+ t], to: &sums.1)
        add(low, high, row[2 &* p.rowStride &+ t], to: &sums.2)
        add(low, high, row[3 &* p.rowStride &+ t], to: &sums.3)
        source += p.matrixStride
    }
    store(sums.0, p, r, c)
    store(sums.1, p, r &+ 1, c)
    store(sums.2, p, r &+ 2, c)
    store(sums.3, p, r &+ 3, c)
}

@inline(__always)
private func addTwoRows(_ p: SmallProduct, _ r: Int, _ c: Int) {
    var a = start(p, r, c)
    var b = start(p, r &+ 1, c)
    let row = p.rows + r &* p.rowStride
    var source = p.matrix + c
    for t in 0..<p.termCount {
        let low = Lanes(loading: source)
        let high = Lanes(loading: source + 16)
        add(low, high, row[t], to: &a)
        add(low, high, row[p.rowStride &+ t], to: &b)
        source += p.matrixStride
    }
    store(a, p, r, c)
    store(b, p, r &+ 1, c)
}

@inline(__always)
private func addOneRow(_ p: SmallProduct, _ r: Int, _ c: Int) {
    var a = start(p, r, c)
    let row = p.rows + r &* p.rowStride
    var source = p.matrix + c
    for t in 0..<p.termCount {
        add(Lanes(loading: source), Lanes(loading: source + 16), row[t], to: &a)
        source += p.matrixStride
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
