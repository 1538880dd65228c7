import EdgeSampling
import Foundation

/// The chain written for reading only: full sorts, the C library's mathematics, a fresh array at each stage.
struct PlainChain {
    var items: [(id: Int32, logit: Double)]

    init(_ logits: [Float], _ p: SamplingParameters, history: [Int32] = []) {
        var edited = logits.map(Double.init)
        for (id, bias) in p.logitBias { edited[Int(id)] += Double(bias) }
        let window = p.penaltyWindow < 0 ? history : Array(history.suffix(p.penaltyWindow))
        for id in Set(window) {
            let count = Double(window.filter { $0 == id }.count)
            let logit = edited[Int(id)]
            edited[Int(id)] = logit <= 0 ? logit * p.repetitionPenalty : logit / p.repetitionPenalty
            edited[Int(id)] -= count * p.frequencyPenalty + p.presencePenalty
        }
        items = edited.enumerated().map { (Int32($0), $1) }.filter { $0.1 > -.infinity }
        sort()
        for stage in p.order {
            switch stage {
            case .logitBias, .penalties, .dry, .xtc: break
            case .topNSigma where p.topNSigma > 0:
                let n = Double(items.count)
                let mean = items.reduce(0) { $0 + $1.logit } / n
                let deviation = (items.reduce(0) { $0 + pow($1.logit - mean, 2) } / n).squareRoot()
                let bar = items[0].logit - p.topNSigma * deviation
                keep { $0.logit >= bar }
            case .topK where p.topK > 0: items = Array(items.prefix(p.topK))
            case .typical where p.typicalP < 1: typical(p.typicalP)
            case .topP where p.topP < 1:
                var sum = 0.0
                let shares = probabilities
                var n = 0
                repeat {
                    sum += shares[n]
                    n += 1
                } while sum < p.topP && n < shares.count
                items = Array(items.prefix(n))
            case .minP where p.minP > 0:
                let shares = probabilities
                items = zip(items, shares).filter { $1 >= p.minP * shares[0] }.map(\.0)
            case .temperature: items = items.map { ($0.id, $0.logit / p.temperature) }
            default: break
            }
        }
    }

    private mutating func sort() { items.sort { $0.logit != $1.logit ? $0.logit > $1.logit : $0.id < $1.id } }
    private mutating func keep(_ good: ((id: Int32, logit: Double)) -> Bool) { items = items.filter(good) }

    private mutating func typical(_ p: Double) {
        let shares = probabilities
        let entropy = -shares.reduce(0) { $0 + ($1 > 0 ? $1 * log($1) : 0) }
        let ranked = shares.indices.sorted {
            let (a, b) = (abs(-log(shares[$0]) - entropy), abs(-log(shares[$1]) - entropy))
            return a != b ? a < b : $0 < $1
        }
        var (sum, n) = (0.0, 0)
        repeat {
            sum += shares[ranked[n]]
            n += 1
        } while sum <= p && n < ranked.count
        items = ranked.prefix(n).sorted().map { items[$0] }
    }

    var probabilities: [Double] {
        let weights = items.map { exp($0.logit - items[0].logit) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }
}
