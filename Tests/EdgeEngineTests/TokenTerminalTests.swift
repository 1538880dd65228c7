import EdgeGGUF
import EdgeGrammar
import EdgeKernels
import EdgeModel
import EdgeSampling
import EdgeTestSupport
import EdgeTokenizer
import Foundation
import Synchronization
import Testing

@testable import EdgeEngine

@Suite("Grammars that name tokens") struct TokenTerminalTests {
    private let engine: Engine
    private let marks: Set<Int32>

    init() throws {
        let model = try Model(GGUFFile(path: fixtures.appendingPathComponent("edge-car-1m.gguf").path))
        engine = try Engine(
            model: model, tokenizer: model.makeTokenizer(), contextSize: 400, threadCount: 1, precision: .f16)
        let tokenizer = engine.tokenizer
        marks = Set((0..<Int32(tokenizer.count)).filter { tokenizer.isControl($0) })
    }

    private func answer(
        _ grammar: String, seed: UInt64, bias: [String: Float] = [:]
    ) async throws -> (pieces: [String], StopReason?, forced: Int) {
        let vocabulary = GBNF.Vocabulary(engine.tokenizer)
        var sampling = SamplingParameters()
        (sampling.seed, sampling.temperature, sampling.minP, sampling.topK, sampling.topP) = (seed, 2, 0, 0, 1)
        for (text, bias) in bias { if let id = engine.tokenizer.id(of: text) { sampling.logitBias[id] = bias } }
        var request = GenerationRequest(
            prompt: engine.tokenizer.encode("The engine light", addSpecial: true, parseSpecial: false),
            sampling: sampling, maximumTokens: 60,
            constraint: GenerationConstraint(try GBNF.compile(grammar, vocabulary: vocabulary)))
        request.markTokens = marks
        let record = Mutex<(pieces: [String], StopReason?, forced: Int)>(([], nil, 0))
        let tokenizer = engine.tokenizer
        try await engine.generate(request, in: engine.makeContext()) { event in
            record.withLock { record in
                switch event {
                case .text(let text): record.pieces.append(text)
                case .mark(let id):
                    record.pieces.append(String(decoding: tokenizer.bytes(of: id, special: true), as: UTF8.self))
                case .finished(let reason, let statistics):
                    record.1 = reason
                    record.forced = statistics.forcedTokenCount
                }
            }
        }
        return record.withLock { $0 }
    }

    @Test(
        "Control tokens stand where a grammar names them and nowhere else, and are forced where nothing else may come")
    func named() async throws {
        let (open, close) = ("<|reserved_special_token_0|>", "<|reserved_special_token_1|>")
        for seed in 0..<UInt64(5) {
            let answer = try await answer("root ::= \(open) [a-z]{3,6} \(close) \" ok\"", seed: seed)
            #expect(answer.1 == .endOfTurn && answer.forced >= 2)
            let text = answer.pieces.joined()
            #expect(answer.pieces.first == open && answer.pieces.contains(close), "\(answer)")
            let inside = text.dropFirst(open.count).prefix { $0 != "<" }
            #expect((3...6).contains(inside.count) && inside.allSatisfy { ("a"..."z").contains($0) }, "\(text)")
            #expect(text.hasSuffix(close + " ok"))
            // By its spelling it is text.
            let spelled = try await self.answer("root ::= \"\(open)\"", seed: seed)
            #expect(spelled.pieces.joined() == open && !spelled.pieces.contains(open))
        }
    }

    @Test("Any token but one is any of the others, control tokens among them")
    func excluded() async throws {
        let (other, close) = ("<|reserved_special_token_0|>", "<|reserved_special_token_1|>")
        var (hasMarks, hasText) = (false, false)
        for seed in 0..<UInt64(10) {
            // The one that is excluded would be the likeliest by far.
            let answer = try await answer(
                "root ::= !\(close){8} \(close)", seed: seed, bias: [other: 14, close: 100])
            #expect(answer.1 == .endOfTurn && answer.pieces.last == close)
            #expect(answer.pieces.count { $0 == close } == 1)
            hasMarks = hasMarks || answer.pieces.contains(other)
            hasText = hasText || answer.pieces.dropLast().contains { $0 != other }
        }
        #expect(hasMarks && hasText)
    }

    @Test("A name that is no token of the vocabulary, and a token that ends an answer, are errors before any token")
    func refused() async throws {
        let end = try #require(engine.tokenizer.endOfGenerationIds.first)
        for grammar in ["root ::= <no-such-token>", "root ::= <>", "root ::= <[999999]>", "root ::= <[\(end)]>"] {
            await #expect(throws: GrammarError.self) { try await answer(grammar, seed: 0) }
        }
    }
}
