internal import EdgeKernelJobs
package import EdgePlatform

/// What attention needs to know besides queries, keys and values.
package struct AttentionShape: Sendable {
    /// Query heads that share one key-value head.
    package var groupSize: Int
    package var headSize: Int
    /// Factor of the scores, 1 / sqrt(headSize) unless the model says otherwise.
    package var scale: Float
    /// Positions a token sees, itself included; 0 for all.
    package var window: Int
    /// Scores s become softcap * tanh(s / softcap); 0 for none.
    package var softcap: Float
    /// Whether a token sees only itself and what lies before, or all tokens of its text.
    package var isCausal: Bool

    package init(
        groupSize: Int, headSize: Int, scale: Float, window: Int = 0, softcap: Float = 0, isCausal: Bool = true
    ) {
        self.groupSize = groupSize
        self.headSize = headSize
        self.scale = scale
        self.window = window
        self.softcap = softcap
        self.isCausal = isCausal
    }

    /// Floats of scratch that one call needs for a tile of `tokenCount` tokens.
    package func scratchCount(tokenCount: Int) -> Int {
        let queries = tokenCount * groupSize
        let groups = CodedBlocks.groupCount(headSize: headSize)
        // Queries as two terms of codes, with a scale and two sums for each 32 of them; one of them padded, and a block's weights
        // as codes.
        let coded = 2 * queries * groups * (8 + 1 + 1) + 32 * groups + 48
        return 2 * KeyValueLayer.blockLength * headSize
            + queries * (2 * headSize + KeyValueLayer.blockLength + 3) + coded
    }
}

/// Attention to a text in several calls, each over some of its runs of 32 positions, in order: some of them lie in a file and are staged.
package struct AttentionPart {
    /// The runs of this call.
    package var runs: Range<Int>
    /// Whether they are the text's first and last.
    package var isFirst: Bool
    package var isLast: Bool
    /// What lies between the calls: [tokens, query heads, largest score and sum].
    package var state: Rows
    /// Where those of the runs lie that are in the file, one after the other.
    package var stage: AlignedBuffer<UInt8>
    package var stageStart: Int

    package init(
        runs: Range<Int>, isFirst: Bool, isLast: Bool, state: Rows, stage: AlignedBuffer<UInt8>, stageStart: Int
    ) {
        self.runs = runs
        self.isFirst = isFirst
        self.isLast = isLast
        self.state = state
        self.stage = stage
        self.stageStart = stageStart
    }
}

extension KeyValueLayer {
    /// Attention of a tile of tokens to one key-value head, for some query heads of its group, in one streaming pass with
    /// running softmax (Milakov and Gimelshein 2018; Dao et al. 2022): no matrix of scores for the whole context.
    ///
    /// Token t (a row of `queries` and of `output`) stands at position `firstPosition + t` and sees itself and what lies before,
    /// from position `start` on: the first of its text, a multiple of the block length. Without causality it sees what
    /// lies behind too, up to position `end`. Query head h is columns [h * headSize, (h + 1) * headSize). Each query folds its
    /// blocks in ascending order, so the bits do not depend on the tile, the members, nor the parts.
    package func attend(
        head: Int, members: Range<Int>? = nil, queries: Rows, output: Rows, tokens: Range<Int>, firstPosition: Int,
        start: Int = 0, end: Int? = nil, shape: AttentionShape, part: AttentionPart? = nil, scratch: Rows, worker: Int,
        kernels: Kernels = .chosen
    ) {
        let members = members ?? 0..<shape.groupSize
        guard !tokens.isEmpty, !members.isEmpty else { return }
        let size = headSize
        precondition(shape.headSize == size && head >= 0 && head < kvHeadCount, "attention shape disagrees")
        precondition(members.lowerBound >= 0 && members.upperBound <= shape.groupSize, "members out of bounds")
        precondition(tokens.lowerBound >= 0 && tokens.upperBound <= min(queries.rowCount, output.rowCount), "tokens")
        precondition(
            (head + 1) * shape.groupSize * size <= min(queries.columnCount, output.columnCount), "heads out of bounds")
        let next = shape.isCausal ? firstPosition + tokens.upperBound : end ?? firstPosition + tokens.upperBound
        let earliest = shape.window > 0 ? max(start, firstPosition + tokens.lowerBound - shape.window + 1) : start
        precondition(
            firstPosition + tokens.lowerBound >= 0 && start >= 0 && start % Self.blockLength == 0,
            "positions out of bounds")
        precondition(firstPosition + tokens.upperBound <= next, "positions out of bounds")
        precondition(next <= capacity, "positions out of bounds")
        precondition(worker < scratch.rowCount, "scratch too small")
        precondition(scratch.columnCount >= shape.scratchCount(tokenCount: tokens.count), "scratch too small")

        let length = Self.blockLength
        let group = members.count
        let queryCount = tokens.count * group
        let column = (head * shape.groupSize + members.lowerBound) * size
        let keyScratch = scratch.pointer(row: worker)
        let valueScratch = keyScratch + length * size
        let scores = valueScratch + length * size
        let factors = scores + queryCount * length
        let maxima = factors + queryCount
        let sums = maxima + queryCount
        let firstHead = head * shape.groupSize + members.lowerBound
        if let part {
            precondition(part.runs.lowerBound >= 0 && part.runs.upperBound * length <= capacity, "runs out of bounds")
            precondition(part.state.rowCount >= tokens.upperBound, "too little state")
            precondition(2 * (firstHead + group) <= part.state.columnCount, "too little state")
        }
        let resumed = part.flatMap { $0.isFirst ? nil : $0.state }
        if let resumed {
            for (index, token) in tokens.enumerated() {
                let stored = resumed.pointer(row: token, column: 2 * firstHead)
                for member in 0..<group {
                    maxima[index * group + member] = stored[2 * member]
                    sums[index * group + member] = stored[2 * member + 1]
                }
            }
        } else {
            maxima.update(repeating: -.infinity, count: queryCount)
            sums.update(repeating: 0, count: queryCount)
        }
        // The queries of one token lie together already; those of several are brought together.
        let isOne = tokens.count == 1
        let packed = isOne ? queries.pointer(row: tokens.lowerBound, column: column) : sums + queryCount
        let outputs =
            isOne ? output.pointer(row: tokens.lowerBound, column: column) : sums + queryCount * (1 + size)
        if !isOne {
            for (index, token) in tokens.enumerated() {
                (packed + index * group * size).update(
                    from: queries.pointer(row: token, column: column), count: group * size)
            }
        }
        if resumed == nil {
            outputs.update(repeating: 0, count: queryCount * size)
        } else if !isOne {
            for (index, token) in tokens.enumerated() {
                (outputs + index * group * size).update(
                    from: output.pointer(row: token, column: column), count: group * size)
            }
        }
        let groups = CodedBlocks.groupCount(headSize: size)
        let codedScratch = sums + queryCount * (1 + (isOne ? 0 : 2 * size))
        let padded = codedScratch + 48
        let queryScales = padded + 32 * groups
        let querySums = UnsafeMutableRawPointer(queryScales + 2 * queryCount * groups)
            .assumingMemoryBound(to: Int16.self)
        let queryCodes = UnsafeMutableRawPointer(queryScales + 4 * queryCount * groups)
        if precision.isCoded {
            padded.update(repeating: 0, count: 32 * groups)
            for query in 0..<queryCount {
                padded.update(from: packed + query * size, count: size)
                for term in 2 * query..<2 * query + 2 {
                    let codes = queryCodes + term * 32 * groups
                    let scales = queryScales + term * groups
                    kernels.functions.quantize32(padded, 32 * groups, codes, scales, querySums + term * 2 * groups)
                    for i in 0..<size {
                        padded[i] -= Float(codes.load(fromByteOffset: i, as: Int8.self)) * scales[i / 32]
                    }
                }
            }
        }

        var block = earliest / length * length
        var end = next
        var staged = 0
        if let part {
            block = max(block, part.runs.lowerBound * length)
            end = min(end, part.runs.upperBound * length)
            for run in part.runs.lowerBound..<max(part.runs.lowerBound, min(part.runs.upperBound, block / length))
            where isSpilled(run: run) { staged += 1 }
        }
        while block < end {
            let count = min(length, next - block)
            var stagedRun: UnsafeMutableRawPointer?
            if let part, isSpilled(run: block / length) {
                let place = part.stageStart + staged * stagedByteCount
                precondition(place >= 0 && stagedByteCount <= part.stage.count - place, "not staged")
                stagedRun = UnsafeMutableRawPointer(part.stage.base + place)
                staged += 1
            }
            var coded: CodedBlock?
            var (keyBlock, valueBlock) = (UnsafePointer(keyScratch), UnsafePointer(valueScratch))
            if precision.isCoded {
                coded = codedBlock(
                    head: head, position: block, staged: stagedRun, queryCodes: queryCodes, queryScales: queryScales,
                    querySums: querySums, scratch: codedScratch)
            } else {
                keyBlock = self.block(
                    .keys, head: head, position: block, staged: stagedRun, valueCount: length * size,
                    scratch: keyScratch,
                    kernels: kernels)
                valueBlock = self.block(
                    .values, head: head, position: block, staged: stagedRun, valueCount: count * size,
                    scratch: valueScratch,
                    kernels: kernels)
            }
            /// The positions of the block that a token sees.
            func seen(_ token: Int) -> Range<Int> {
                let position = firstPosition + token
                let upper = shape.isCausal ? min(count, position + 1 - block) : count
                let lower = shape.window > 0 ? max(0, position - shape.window + 1 - block) : 0
                return lower..<max(lower, upper)
            }
            // Tokens that see the same positions, mostly all of them, pass the block together.
            var token = tokens.lowerBound
            while token < tokens.upperBound {
                let range = seen(token)
                let first = token
                repeat { token += 1 } while token < tokens.upperBound && seen(token) == range
                guard !range.isEmpty else { continue }
                let query = (first - tokens.lowerBound) * group
                var job = AttentionJob(
                    keys: keyBlock, values: valueBlock, headSize: size, queries: packed + query * size,
                    queryCount: (token - first) * group, lower: range.lowerBound, upper: range.upperBound,
                    scale: shape.scale, softcap: shape.softcap, scores: scores + query * length,
                    factors: factors + query, maxima: maxima + query, sums: sums + query,
                    outputs: outputs + query * size, coded: coded)
                if coded != nil {
                    job.coded?.queryCodes = UnsafeRawPointer(queryCodes + query * 64 * groups)
                    job.coded?.queryScales = UnsafePointer(queryScales + query * 2 * groups)
                    job.coded?.querySums = UnsafePointer(querySums + query * 4 * groups)
                }
                kernels.functions.foldBlock(&job)
            }
            block += length
            // One token waits for memory: blocks lie too far apart for the processor to see where the next one is. The sum goes where the
            // scores of the next block will be, as loads whose result nobody has would be left out.
            if isOne, precision == .f16, block < end { scores[0] = Float(touch(head: head, position: block)) }
        }
        if let part, !part.isLast {
            for (index, token) in tokens.enumerated() {
                let stored = part.state.pointer(row: token, column: 2 * firstHead)
                for member in 0..<group {
                    stored[2 * member] = maxima[index * group + member]
                    stored[2 * member + 1] = sums[index * group + member]
                }
                if !isOne {
                    output.pointer(row: token, column: column).update(
                        from: outputs + index * group * size, count: group * size)
                }
            }
            return
        }
        for (index, token) in tokens.enumerated() {
            for member in 0..<group {
                let query = index * group + member
                scale(outputs + query * size, by: 1 / sums[query], size)
            }
            if !isOne {
                output.pointer(row: token, column: column).update(
                    from: outputs + index * group * size, count: group * size)
            }
        }
    }
}
