internal import EdgeKernels
internal import EdgePlatform

/// One pass of queries over all vectors, by all threads of a team.
final class VectorScan: TeamJob {
    /// Queries of a pass at most.
    static let batchLimit = 32
    /// Vectors of a piece of work: their scores for a full batch take half a megabyte.
    private static let pieceLength = 4096

    private let coded: Matrix
    private let full: Matrix
    private let x: Rows
    private let quantized: QuantizedRows
    private let queryErrors: [(length: Float, rest: Float)]
    private let ids: [Int64]
    private let lengths: [Float]
    private let errors: [Float]
    private let allowed: Set<Int64>?
    private let longest: Float
    private let largestError: Float
    private let limit: Int
    private let kernels: Kernels
    private let workers: [Worker]
    private let scratch: Rows

    /// What one thread has found.
    private final class Worker {
        let scores: Rows
        let exact: Rows
        /// For each query.
        var candidates: [Candidates]
        var results: [[VectorIndex.Match]]

        init(queryCount: Int, limit: Int) throws(PlatformError) {
            scores = try Rows(rowCount: queryCount, columnCount: VectorScan.pieceLength)
            exact = try Rows(rowCount: queryCount, columnCount: 16)
            candidates = Array(repeating: Candidates(limit: limit), count: queryCount)
            results = Array(repeating: [], count: queryCount)
        }
    }

    init(
        coded: Matrix, full: Matrix, x: Rows, quantized: QuantizedRows, queryErrors: [(length: Float, rest: Float)],
        ids: [Int64], lengths: [Float], errors: [Float], allowed: Set<Int64>?, limit: Int, workerCount: Int,
        kernels: Kernels
    ) throws(PlatformError) {
        self.coded = coded
        self.full = full
        self.x = x
        self.quantized = quantized
        self.queryErrors = queryErrors
        self.ids = ids
        self.lengths = lengths
        self.errors = errors
        self.allowed = allowed
        self.limit = min(limit, ids.count)
        longest = lengths.max() ?? 0
        largestError = errors.max() ?? 0
        self.kernels = kernels
        var workers: [Worker] = []
        for _ in 0..<workerCount {
            workers.append(try Worker(queryCount: queryErrors.count, limit: self.limit))
        }
        self.workers = workers
        scratch = try Rows(
            rowCount: workerCount, columnCount: Matrix.scratchColumnCount(columnCount: coded.columnCount))
    }

    func run(_ worker: TeamWorker) {
        let own = workers[worker.index]
        while true {
            let first = worker.nextTicket() * Self.pieceLength
            guard first < ids.count else { break }
            let piece = first..<min(ids.count, first + Self.pieceLength)
            coded.multiply(
                x, quantized: quantized, tokens: 0..<queryErrors.count, rows: piece, into: own.scores, outputColumn: 0,
                scratch: scratch, worker: worker.index, floatKernels: kernels)
            for query in queryErrors.indices { sift(query, piece, own) }
        }
        worker.barrier()
        rescore(worker)
    }

    /// Keeps the vectors of a piece that may be among the best.
    private func sift(_ query: Int, _ piece: Range<Int>, _ own: Worker) {
        let most = slack(query, longest, largestError)
        // Taken out and put back, so that it is not copied.
        var candidates = Candidates(limit: 0)
        swap(&candidates, &own.candidates[query])
        own.scores.withSpan(row: query) { scores in
            for row in piece {
                let score = scores[row - piece.lowerBound]
                if score + most < candidates.threshold { continue }
                let slack = slack(query, lengths[row], errors[row])
                let id = ids[row]
                if score + slack < candidates.threshold || id == 0 { continue }
                if let allowed, !allowed.contains(id) { continue }
                candidates.add(row, low: score - slack, high: score + slack)
            }
        }
        swap(&candidates, &own.candidates[query])
    }

    /// What an int8 score may be wrong by: |q·x - q'·x'| <= |q||x - x'| + |q - q'||x'| with |x'| <= |x| + |x - x'|, and what adding in
    /// f32 may lose.
    @inline(__always)
    private func slack(_ query: Int, _ length: Float, _ error: Float) -> Float {
        let own = queryErrors[query]
        let rounding = Float(coded.columnCount) * 0x1p-22
        return own.length * error + (own.rest + rounding * own.length) * (length + error)
    }

    /// Compares the candidates of all threads in f32.
    private func rescore(_ worker: TeamWorker) {
        let own = workers[worker.index]
        for query in queryErrors.indices {
            // The lowest score that the last of the best can have, over all threads.
            var bounds = Candidates(limit: limit)
            for other in workers { for low in other.candidates[query].lows { bounds.addLow(low) } }
            let threshold = bounds.threshold
            for candidate in own.candidates[query].rows where candidate.high >= threshold {
                full.multiply(
                    x, tokens: query..<query + 1, rows: candidate.row..<candidate.row + 1, into: own.exact,
                    outputColumn: 0,
                    scratch: scratch, worker: worker.index, kernels: kernels)
                own.results[query].append(.init(id: ids[candidate.row], score: own.exact[query, 0]))
            }
        }
    }

    /// The best of each query, the first first.
    func matches() -> [[VectorIndex.Match]] {
        queryErrors.indices.map { query in
            var all = workers.flatMap { $0.results[query] }
            all.sort { ($1.score, $0.id) < ($0.score, $1.id) }
            return Array(all.prefix(limit))
        }
    }
}

/// Rows that may be among the best of a query, with what their scores are between.
struct Candidates {
    private let limit: Int
    /// The highest `limit` of the lower bounds, as a heap with the lowest at the root.
    private(set) var lows: [Float] = []
    private(set) var rows: [(row: Int, high: Float)] = []
    /// When rows are looked through the next time.
    private var pruningCount: Int

    init(limit: Int) {
        self.limit = limit
        pruningCount = 4 * limit + 1024
    }

    /// What a row's upper bound must reach.
    var threshold: Float { lows.count < limit ? -.infinity : lows[0] }

    mutating func add(_ row: Int, low: Float, high: Float) {
        addLow(low)
        rows.append((row, high))
        // Most were kept while the threshold was low.
        if rows.count >= pruningCount {
            let threshold = threshold
            rows.removeAll { $0.high < threshold }
            pruningCount = max(4 * limit + 1024, 2 * rows.count)
        }
    }

    mutating func addLow(_ low: Float) {
        if lows.count < limit {
            lows.append(low)
            var child = lows.count - 1
            while child > 0, lows[child] < lows[(child - 1) / 2] {
                lows.swapAt(child, (child - 1) / 2)
                child = (child - 1) / 2
            }
        } else if low > lows[0] {
            lows[0] = low
            var parent = 0
            while true {
                var child = 2 * parent + 1
                guard child < lows.count else { break }
                if child + 1 < lows.count, lows[child + 1] < lows[child] { child += 1 }
                guard lows[child] < lows[parent] else { break }
                lows.swapAt(parent, child)
                parent = child
            }
        }
    }
}
