internal import EdgeKernels
internal import EdgePlatform

/// Which experts see which token, and the rows they work on.
///
/// A pair is a token and one of its experts. Pairs are sorted by expert, so that each expert's tokens are a range of rows. A token
/// adds its experts' outputs from the most to the least probable one, whatever else is in the batch.
final class ExpertMixture {
    let expertCount: Int
    private let usedCount: Int
    /// Router logits, then probabilities: [batch, expertCount].
    let scores: Rows
    /// What each pair's expert reads and writes: [batch * usedCount, width].
    let inputs: Rows
    let outputs: Rows
    private(set) var pairCount = 0
    /// By pair: its token. By expert: where its pairs begin. By token and rank: the pair and its weight.
    private var tokens: [Int]
    private var starts: [Int]
    private var chosen: [Int]
    private var weights: [Float]
    private var pairs: [Int]

    init(batch: Int, expertCount: Int, usedCount: Int, width: Int) throws(PlatformError) {
        self.expertCount = expertCount
        self.usedCount = usedCount
        scores = try Rows(rowCount: batch, columnCount: expertCount)
        inputs = try Rows(rowCount: batch * usedCount, columnCount: width)
        outputs = try Rows(rowCount: batch * usedCount, columnCount: width)
        tokens = Array(repeating: 0, count: batch * usedCount)
        starts = Array(repeating: 0, count: expertCount + 1)
        chosen = Array(repeating: 0, count: batch * usedCount)
        weights = Array(repeating: 0, count: batch * usedCount)
        pairs = Array(repeating: 0, count: batch * usedCount)
    }

    var byteCount: Int {
        let numbers = tokens.count + starts.count + chosen.count + weights.count + pairs.count
        return scores.byteCount + inputs.byteCount + outputs.byteCount + numbers * MemoryLayout<Int>.stride
    }

    func token(ofPair pair: Int) -> Int { tokens[pair] }
    func pairs(ofExpert expert: Int) -> Range<Int> { starts[expert]..<starts[expert + 1] }

    /// Chooses each token's experts from the router's logits: softmax over all, the largest, weights made to add up to 1.
    /// Equal probabilities go to the lower index; NaN is never larger, so any file gives some choice.
    func route(tokenCount: Int) {
        pairCount = tokenCount * usedCount
        for expert in 0...expertCount { starts[expert] = 0 }
        for token in 0..<tokenCount {
            scores.softmax(row: token, count: expertCount)
            var sum: Float = 0
            for rank in 0..<usedCount {
                var best = -1
                for expert in 0..<expertCount where !isChosen(expert, token: token, before: rank) {
                    if best < 0 || scores[token, expert] > scores[token, best] { best = expert }
                }
                chosen[token * usedCount + rank] = best
                weights[token * usedCount + rank] = scores[token, best]
                sum += scores[token, best]
                starts[best + 1] += 1
            }
            // The smallest normal half: what other engines divide by when all probabilities vanish.
            let divisor = max(sum, 6.103_515_625e-5)
            for rank in 0..<usedCount { weights[token * usedCount + rank] /= divisor }
        }
        for expert in 0..<expertCount { starts[expert + 1] += starts[expert] }
        // Place the pairs, moving each expert's start along, then move the starts back.
        for token in 0..<tokenCount {
            for rank in 0..<usedCount {
                let expert = chosen[token * usedCount + rank]
                pairs[token * usedCount + rank] = starts[expert]
                tokens[starts[expert]] = token
                starts[expert] += 1
            }
        }
        for expert in stride(from: expertCount, to: 0, by: -1) { starts[expert] = starts[expert - 1] }
        starts[0] = 0
    }

    private func isChosen(_ expert: Int, token: Int, before rank: Int) -> Bool {
        for earlier in 0..<rank where chosen[token * usedCount + earlier] == expert { return true }
        return false
    }

    /// Adds the weighted outputs of a token's experts to its row.
    func addOutputs(of token: Int, to target: Rows) {
        for rank in 0..<usedCount {
            target.add(
                outputs, row: pairs[token * usedCount + rank], scaledBy: weights[token * usedCount + rank], to: token,
                count: target.columnCount)
        }
    }
}
