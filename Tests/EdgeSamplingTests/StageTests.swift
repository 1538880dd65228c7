import EdgeSampling
import EdgeTestSupport
import Foundation
import Testing

/// A chain with every stage off.
func off() -> SamplingParameters {
    var p = SamplingParameters()
    p.temperature = 1
    p.topK = 0
    p.topP = 1
    p.minP = 0
    return p
}

/// What the chain makes of a distribution, likeliest first.
func chain(_ shares: [Double], _ p: SamplingParameters, history: [Int32] = []) throws -> [TokenProbability] {
    var sampler = try Sampler(p, vocabularySize: shares.count)
    for id in history { sampler.accept(id) }
    return try sampler.probabilities(shares.map { Float(Foundation.log($0)) })
}

func isClose(_ a: [TokenProbability], _ shares: [Double], _ tolerance: Double = 1e-5) -> Bool {
    a.count == shares.count && zip(a, shares).allSatisfy { abs($0.probability - $1) < tolerance }
}

@Suite("Stages")
struct StageTests {
    let four = [0.1, 0.2, 0.3, 0.4]

    @Test("top-k, top-p, min-p and top-n-sigma cut small distributions where llama.cpp's tests say")
    func truncation() throws {
        let two = [4.0 / 7, 3.0 / 7]
        let three = [4.0 / 9, 3.0 / 9, 2.0 / 9]
        let all = [0.4, 0.3, 0.2, 0.1]
        let ks: [(Int, [Double])] = [(1, [1]), (3, three), (0, all)]
        for (k, expected) in ks {
            var p = off()
            p.topK = k
            #expect(isClose(try chain(four, p), expected))
        }
        let shares: [(Double, [Double])] = [(0, [1]), (0.69, two), (0.8, three)]
        for (share, expected) in shares {
            var p = off()
            p.topP = share
            #expect(isClose(try chain(four, p), expected))
        }
        let floors: [(Double, [Double])] = [
            (0.24, all), (0.26, three), (0.49, three), (0.51, two), (0.76, [1]), (1, [1]),
        ]
        for (share, expected) in floors {
            var p = off()
            p.minP = share
            #expect(isClose(try chain(four, p), expected))
        }
        var p = off()
        p.topNSigma = 1
        #expect(isClose(try chain(four, p), [4.0 / 7, 3.0 / 7]))
        p.topNSigma = 3
        #expect(isClose(try chain(four, p), [0.4, 0.3, 0.2, 0.1]))
    }

    @Test("typical and XTC keep what llama.cpp's tests say")
    func typicalAndXTC() throws {
        var p = off()
        p.typicalP = 0.5
        #expect(isClose(try chain([0.97, 0.01, 0.01, 0.01], p), [1]))
        #expect(try chain([0.4, 0.2, 0.2, 0.2], p).map(\.id) == [1, 2, 3])
        let cases: [(Double, [Int])] = [(0.09, [0]), (0.19, [1, 0]), (0.29, [2, 1, 0]), (0.39, [3, 2, 1, 0])]
        for (threshold, ids) in cases {
            var p = off()
            p.xtc.probability = 1
            p.xtc.threshold = threshold
            #expect(try chain(four, p).map { Int($0.id) } == ids)
        }
    }

    @Test("penalties give what llama.cpp's tests say")
    func penalties() throws {
        let five = [Double](repeating: 0.2, count: 5)
        var p = off()
        p.repetitionPenalty = 50
        #expect(isClose(try chain(five, p, history: [0]), [0.25, 0.25, 0.25, 0.25, 0]))
        #expect(isClose(try chain(five, p, history: [0, 1, 2, 0, 0]), [0.5, 0.5, 0, 0, 0]))
        p = off()
        p.frequencyPenalty = 5
        p.presencePenalty = 5
        #expect(isClose(try chain(five, p, history: [0]), [0.249997, 0.249997, 0.249997, 0.249997, 0.000011]))
        #expect(isClose(try chain(five, p, history: [0, 1, 2, 0, 0]), [0.499977, 0.499977, 0.000023, 0.000023, 0]))
        p.penaltyWindow = 0
        #expect(isClose(try chain(five, p, history: [0]), five))
    }

    @Test("DRY gives what llama.cpp's tests say")
    func dry() throws {
        func p(_ multiplier: Double, _ allowed: Int, _ window: Int, _ breakers: [[Int32]] = []) -> SamplingParameters {
            var p = off()
            p.dry.multiplier = multiplier
            p.dry.base = 1.1
            p.dry.allowedLength = allowed
            p.dry.window = window
            p.dry.breakers = breakers
            return p
        }
        let four = [Double](repeating: 0.25, count: 4)
        let five = [Double](repeating: 0.2, count: 5)
        #expect(isClose(try chain(four, p(1, 2, 4), history: [0, 1]), four))
        let hit = try chain(four, p(1, 2, 5), history: [0, 1, 2, 0, 1])
        #expect(isClose(hit, [0.296923, 0.296923, 0.296923, 0.109232]))
        #expect(hit.last?.id == 2)
        #expect(isClose(try chain(five, p(1, 2, 6, [[3]]), history: [0, 1, 3, 4, 0, 1]), five))
        #expect(
            isClose(
                try chain(five, p(2, 2, 5), history: [0, 1, 2, 0, 1]),
                [0.241818, 0.241818, 0.241818, 0.241818, 0.032727]))
        #expect(isClose(try chain(five, p(1, 4, 7), history: [0, 1, 2, 3, 4, 0, 1]), five))
    }

    @Test("DRY finds the longest repetitions that a plain search finds", arguments: 0..<50)
    func dryPlain(seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        let history = (0..<Int.random(in: 3...120, using: &random)).map { _ in Int32.random(in: 0..<3, using: &random) }
        var p = off()
        p.dry.multiplier = 0.01
        p.dry.base = 1.05
        var sampler = try Sampler(p, vocabularySize: 3)
        for id in history { sampler.accept(id) }
        var longest = [0, 0, 0]
        for end in 0..<history.count - 1 {
            var n = 0
            while n <= end, history[end - n] == history[history.count - 1 - n] { n += 1 }
            longest[Int(history[end + 1])] = max(longest[Int(history[end + 1])], n)
        }
        let logits = longest.map { $0 >= 2 ? -0.01 * pow(1.05, Double($0 - 2)) : 0 }
        let sum = logits.reduce(0) { $0 + exp($1) }
        for item in try sampler.probabilities([0, 0, 0]) {
            #expect(abs(item.probability - exp(logits[Int(item.id)]) / sum) < 1e-6)
        }
    }

    @Test("chains agree with the plain computation on random logits with ties", arguments: 0..<300)
    func againstPlain(seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        let size = [1, 2, 3, 17, 255, 257, 1000, 5000][seed % 8]
        let spread = [0.0, 1, 8, 60][seed / 8 % 4]
        let logits = (0..<size).map { index -> Float in
            if index > 0, UInt8.random(in: 0..<10, using: &random) == 0 { return -.infinity }
            // Sixteenths: many ties.
            return Float((Double.random(in: -1...1, using: &random) * spread * 16).rounded() / 16)
        }
        var p = off()
        p.temperature = [1, 0.7, 3][seed % 3]
        func chance() -> Bool { Bool.random(using: &random) }
        if chance() { p.topK = [1, 5, 40, 700][seed % 4] }
        if chance() { p.topP = 0.913 }
        if chance() { p.minP = 0.0531 }
        if chance() { p.typicalP = 0.717 }
        if chance() { p.topNSigma = 1.37 }
        if chance() { p.logitBias = [0: 1.5] }
        let history = (0..<100).map { _ in Int32.random(in: 0..<Int32(size), using: &random) }
        if chance() { p.repetitionPenalty = 1.25 }
        if chance() { p.frequencyPenalty = 0.125 }
        if chance() { p.order = [.penalties, .logitBias, .temperature, .minP, .topP, .typical, .topNSigma, .topK] }
        if p.order[0] == .penalties { p.logitBias = [:] }
        var sampler = try Sampler(p, vocabularySize: size)
        for id in history { sampler.accept(id) }
        let got = try sampler.probabilities(logits)
        let plain = PlainChain(logits, p, history: history)
        // Typical ranks by scores that rounding may swap among ties; its count still agrees.
        if p.typicalP == 1 { #expect(got.map(\.id) == plain.items.map(\.id)) }
        #expect(got.count == plain.items.count)
        if p.typicalP == 1 {
            for (a, b) in zip(got, plain.probabilities) { #expect(abs(a.probability - b) < 1e-6) }
        }
    }
}
