import EdgeSampling
import EdgeTestSupport
import Foundation
import Testing

@Suite("The sampler")
struct SamplerTests {
    static let logits: [Float] = (0..<1000).map { Float(($0 * 7919) % 1000) / 100 }

    @Test("greedy takes the highest logit, the lowest id among equals")
    func greedy() throws {
        var sampler = try Sampler(.greedy, vocabularySize: 4)
        #expect(try sampler.sample([1, 3, 3, 2]) == 1)
        #expect(try sampler.sample([-.infinity, -.infinity, -3, -.infinity]) == 2)
        var p = SamplingParameters.greedy
        p.logitBias = [3: 5, 1: -.infinity]
        sampler = try Sampler(p, vocabularySize: 4)
        #expect(try sampler.sample([1, 3, 3, 2]) == 3)
    }

    @Test("broken logits, wrong lengths and empty choices are typed errors")
    func errors() throws {
        for p in [SamplingParameters.greedy, SamplingParameters()] {
            var sampler = try Sampler(p, vocabularySize: 3)
            func code(_ logits: [Float]) -> SamplingError.Code? {
                do throws(SamplingError) { _ = try sampler.sample(logits) } catch { return error.code }
                return nil
            }
            #expect(code([0, .nan, 0]) == .brokenLogit)
            #expect(code([.nan, .nan, .nan]) == .brokenLogit)
            #expect(code([0, .infinity, 0]) == .brokenLogit)
            #expect(code([-.infinity, -.infinity, -.infinity]) == .noCandidate)
            #expect(code([0, 1]) == .length)
            #expect(code([0, 1, 2]) == nil)
            #expect(code([.greatestFiniteMagnitude, -.greatestFiniteMagnitude, 0]) == nil)
        }
        #expect(throws: SamplingError.self) { try Sampler(.greedy, vocabularySize: 0) }
    }

    @Test("parameters outside their range are named")
    func parameters() {
        let bad: [(String, (inout SamplingParameters) -> Void)] = [
            ("temperature", { $0.temperature = -1 }), ("temperature", { $0.temperature = .nan }),
            ("topK", { $0.topK = -1 }), ("topP", { $0.topP = 1.5 }), ("minP", { $0.minP = -0.1 }),
            ("typicalP", { $0.typicalP = .nan }), ("minKeep", { $0.minKeep = 0 }),
            ("repetitionPenalty", { $0.repetitionPenalty = 0 }), ("dry.base", { $0.dry.base = 0.5 }),
            ("xtc.threshold", { $0.xtc.threshold = 2 }), ("logitBias[5]", { $0.logitBias = [5: .nan] }),
            ("order", { $0.order = [.topK, .penalties] }), ("order", { $0.order = [.topK, .topK] }),
            ("mirostat.tau", { $0.mirostat = .init(tau: .infinity) }),
        ]
        for (name, change) in bad {
            var p = SamplingParameters()
            change(&p)
            do throws(SamplingError) {
                try p.validate()
                Issue.record("\(name) passed")
            } catch {
                #expect(error.code == .parameter && error.message.contains("parameter \(name) "))
            }
        }
    }

    @Test("extreme temperatures give the likeliest token, or nearly uniform draws", arguments: [1e-300, 1e-30, 1e30])
    func extremes(temperature: Double) throws {
        var p = off()
        p.temperature = temperature
        var sampler = try Sampler(p, vocabularySize: 3)
        let shares = try sampler.probabilities([1, 5, 3])
        #expect(shares[0].id == 1)
        #expect(abs(shares[0].probability - (temperature < 1 ? 1 : 1.0 / 3)) < 1e-12)
    }

    @Test("a mask bans tokens, however unlikely the others are")
    func mask() throws {
        for p in [SamplingParameters.greedy, SamplingParameters(), off()] {
            var sampler = try Sampler(p, vocabularySize: 130)
            var logits = [Float](repeating: 0, count: 130)
            logits[3] = 50
            logits[4] = .nan
            let bits: [UInt64] = [0, 0, 0b11]
            for _ in 0..<50 { #expect(try sampler.sample(logits, allowed: bits) >= 128) }
            do throws(SamplingError) {
                let none: [UInt64] = [0, 0, 0b100]
                _ = try sampler.sample(logits, allowed: none)
                Issue.record("an empty mask passed")
            } catch { #expect(error.code == .noCandidate) }
        }
    }

    /// What a sampler says of a mask, bit by bit: the rest is as if it had a logit of minus infinity.
    private static func plain(_ logits: [Float], _ allowed: [UInt64]) -> [Float] {
        logits.indices.map { allowed[$0 / 64] &>> UInt64($0 % 64) & 1 == 1 ? logits[$0] : -.infinity }
    }

    @Test(
        "a mask taken word by word gives the tokens and errors of one taken bit by bit",
        arguments: [1, 2, 63, 64, 65, 127, 128, 129, 191, 1_000, 4_097])
    func masksByWords(size: Int) throws {
        func outcomes(_ sampler: inout Sampler, _ logits: [Float], _ allowed: [UInt64]?) -> [String] {
            (0..<4).map { _ in
                do throws(SamplingError) {
                    guard let allowed else { return String(try sampler.sample(logits)) }
                    return String(try sampler.sample(logits, allowed: allowed))
                } catch {
                    return "\(error)"
                }
            }
        }
        var random = SplitMix(seed: UInt64(size))
        var p = off()
        p.temperature = 2
        var topped = SamplingParameters()
        topped.logitBias[0] = 3
        topped.logitBias[Int32(size - 1)] = -1
        let words = (size + 63) / 64
        var failed = 0
        for round in 0..<60 {
            var logits = (0..<size).map { _ in Float(random.next() % 4_000) / 400 - 5 }
            // Broken ones, and those that cannot be chosen anyway.
            if round % 3 == 1 {
                for broken in [.nan, .infinity, -.infinity, .signalingNaN] as [Float] {
                    logits[Int(random.next() % UInt64(size))] = broken
                }
            }
            // Words of each kind, what follows the last token as well, and more words than needed.
            let allowed = (0..<words + round % 3).map { _ -> UInt64 in
                let (a, b, c) = (random.next(), random.next(), random.next())
                return switch random.next() % 7 {
                case 0: 0
                case 1: .max
                case 2: a & b & c
                case 3: a | b | c
                case 4: 1 &<< (a % 64)
                case 5: ~(1 &<< (a % 64))
                default: a
                }
            }
            for parameters in [.greedy, p, topped] as [SamplingParameters] {
                var byWords = try Sampler(parameters, vocabularySize: size)
                var byBits = byWords
                let found = outcomes(&byWords, logits, allowed)
                #expect(found == outcomes(&byBits, Self.plain(logits, allowed), nil), "round \(round)")
                #expect(byWords.state == byBits.state)
                if Int32(found[0]) == nil { failed += 1 }
            }
        }
        #expect(failed > 0 && failed < 180)
        var sampler = try Sampler(p, vocabularySize: size)
        let logits = [Float](repeating: 0, count: size)
        do throws(SamplingError) {
            _ = try sampler.sample(logits, allowed: [UInt64](repeating: .max, count: words - 1))
            Issue.record("a mask that is too short passed")
        } catch { #expect(error.code == .length) }
    }

    @Test("draws follow the distribution: chi-square with a fixed seed")
    func chiSquare() throws {
        var p = off()
        p.seed = 42
        var sampler = try Sampler(p, vocabularySize: 6)
        let shares = [0.05, 0.1, 0.15, 0.2, 0.2, 0.3]
        let logits = shares.map { Float(log($0)) }
        var counts = [Double](repeating: 0, count: 6)
        for _ in 0..<20_000 { counts[Int(try sampler.sample(logits))] += 1 }
        let chi = zip(counts, shares).reduce(0) { $0 + pow($1.0 - 20_000 * $1.1, 2) / (20_000 * $1.1) }
        // The 99.9 % quantile of chi-square with 5 degrees of freedom.
        #expect(chi < 20.5)
    }

    @Test("mirostat holds the surprise at its target")
    func mirostat() throws {
        var p = off()
        p.mirostat = .init(tau: 3, eta: 0.1)
        var sampler = try Sampler(p, vocabularySize: 1000)
        var plainMu = 6.0
        let weights = Self.logits.map { exp(Double($0)) }
        let sum = weights.reduce(0, +)
        for _ in 0..<300 {
            var kept = weights.indices.filter { -log2(weights[$0] / sum) <= plainMu }
            // The likeliest always stays.
            if kept.isEmpty { kept = weights.indices.filter { Self.logits[$0] == Self.logits.max() } }
            let id = Int(try sampler.sample(Self.logits))
            #expect(kept.contains(id))
            let keptSum = kept.reduce(0) { $0 + weights[$1] }
            plainMu -= 0.1 * (-log2(weights[id] / keptSum) - 3)
            #expect(abs(sampler.state.mu - plainMu) < 1e-9)
        }
    }

    @Test("a restored state continues alike")
    func restore() throws {
        var p = SamplingParameters()
        p.repetitionPenalty = 1.3
        p.xtc.probability = 0.5
        p.dry.multiplier = 0.8
        p.seed = 9
        var sampler = try Sampler(p, vocabularySize: 1000)
        func run(_ n: Int) throws -> [Int32] {
            try (0..<n).map { _ in
                let id = try sampler.sample(Self.logits)
                sampler.accept(id)
                return id
            }
        }
        _ = try run(100)
        let data = try JSONEncoder().encode(sampler.state)
        let first = try run(50)
        sampler = try Sampler(p, vocabularySize: 1000)
        sampler.state = try JSONDecoder().decode(SamplerState.self, from: data)
        #expect(try run(50) == first)
    }

    @Test("the ids of fixed seeds are the recorded ones on every platform")
    func recorded() throws {
        var sampler = try Sampler(SamplingParameters(), vocabularySize: 1000)
        let plain = try (0..<12).map { _ in try sampler.sample(Self.logits) }
        #expect(plain == recordedDefault)
        var p = off()
        p.seed = 0xfeed_face_cafe_beef
        p.topP = 0.9
        sampler = try Sampler(p, vocabularySize: 1000)
        let wide = try (0..<12).map { _ in try sampler.sample(Self.logits) }
        #expect(wide == recordedTopP)
    }

    @Test("breaker strings become tokens that hold them or begin them")
    func breakers() {
        // Tokens: "a", "b", "xab", "xa", "".
        let sequences = DryBreakers.sequences(
            for: Array("ab".utf8), bytes: Array("abxabxa".utf8), ends: [1, 2, 5, 7, 7]
        ) { rest in rest == Array("b".utf8) ? [1] : [] }
        #expect(sequences == [[0, 1], [2], [3, 1]])
    }
}

let recordedDefault: [Int32] = [593, 852, 531, 494, 25, 321, 630, 642, 62, 926, 630, 642]
let recordedTopP: [Int32] = [704, 655, 840, 952, 14, 507, 446, 941, 409, 14, 717, 568]
