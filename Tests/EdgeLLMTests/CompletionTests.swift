import EdgeLLM
import EdgeTestSupport
import Foundation
import Testing

/// The model that the repository bundles.
let bundled = fixtures.appendingPathComponent("edge-car-1m.gguf")

@Suite("Completion") struct CompletionTests {
    private let prompt = "The engine light is"

    private func options(_ mode: GenerationOptions.SamplingMode?, _ count: Int? = 40) -> GenerationOptions {
        var options = GenerationOptions(samplingMode: mode, maximumResponseTokens: count)
        options.local.ignoresEnd = true
        return options
    }

    @Test("The same seed gives the same text for any number of threads; another seed another")
    func seeds() async throws {
        var texts: [String] = []
        for threads in [1, 2, 3] {
            let model = try await GGUFLanguageModel(contentsOf: bundled, options: .init(threadCount: threads))
            #expect(model.threadCount == threads)
            let answer = try await model.completion(
                of: prompt, options: options(.random(probabilityThreshold: 1, seed: 7)))
            #expect(answer.seed == 7)
            texts.append(answer.content)
        }
        #expect(texts[0] == texts[1] && texts[1] == texts[2])
        #expect(!texts[0].isEmpty)
        let model = try await GGUFLanguageModel(contentsOf: bundled)
        let other = try await model.completion(of: prompt, options: options(.random(probabilityThreshold: 1, seed: 8)))
        #expect(other.content != texts[0])
    }

    @Test("A seed that was drawn gives the same text again")
    func drawnSeed() async throws {
        let model = try await GGUFLanguageModel(contentsOf: bundled)
        var options = options(nil)
        let first = try await model.completion(of: prompt, options: options)
        options.local.seed = first.seed
        #expect(try await model.completion(of: prompt, options: options).content == first.content)
    }

    @Test(
        "A grammar that is given holds, for a continuation as for an answer, and one that is none is an error that says where"
    )
    func grammar() async throws {
        let template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: "
        let model = try await GGUFLanguageModel(contentsOf: bundled, options: .init(chatTemplate: template))
        for seed in 0..<UInt64(8) {
            var options = GenerationOptions(
                samplingMode: .random(top: 1 << 20, seed: seed), temperature: 2, maximumResponseTokens: 60)
            options.local.grammar = "root ::= (\"yes\" | \"no\") \", \" [a-z]{2,9} \".\""
            options = try JSONDecoder().decode(GenerationOptions.self, from: JSONEncoder().encode(options))
            let texts = [
                try await model.completion(of: prompt, options: options).content,
                try await LanguageModelSession(model: model).respond(to: prompt, options: options).content,
            ]
            for text in texts { #expect(text.wholeMatch(of: /(yes|no), [a-z]{2,9}\./) != nil, "\(text)") }
            options.local.grammar = "root ::= <|reserved_special_token_0|> [a-c]{3} !<|reserved_special_token_0|>"
            let session = LanguageModelSession(model: model)
            #expect(try await session.respond(to: prompt, options: options).content.prefixMatch(of: /[a-c]{3}/) != nil)
        }
        for (grammar, place) in [
            ("root = \"a\"", "1:6"), ("root ::=\n <no-such-token>", "2:2"), ("x ::= \"a\"", "root"),
        ] {
            var options = GenerationOptions()
            options.local.grammar = grammar
            let session = LanguageModelSession(model: model)
            await #expect { try await session.respond(to: "x", options: options) } throws: { error in
                guard case LanguageModelError.invalidOptions(let message) = error else { return false }
                return message.contains(place)
            }
            await #expect(throws: LanguageModelError.self) { try await model.completion(of: "x", options: options) }
            #expect(session.transcript.isEmpty)
        }
        var options = GenerationOptions()
        options.local.grammar = "root ::= \"1\""
        await #expect(throws: LanguageModelError.self) {
            try await LanguageModelSession(model: model).respond(to: "x", generating: Int.self, options: options)
        }
    }

    @Test("The pieces of a stream are the whole answer, and the usage counts them")
    func streaming() async throws {
        let model = try await GGUFLanguageModel(contentsOf: bundled)
        let whole = try await model.completion(of: prompt, options: options(.greedy))
        let stream = model.streamCompletion(of: prompt, options: options(.greedy))
        var pieces: [String] = []
        for try await piece in stream { pieces.append(piece) }
        #expect(pieces.count > 1)
        #expect(pieces.joined() == whole.content)
        let result = try #require(stream.result)
        #expect(result.finishReason == .maximumTokens)
        #expect(result.usage.output.totalTokenCount == 40)
        #expect(result.usage.input.totalTokenCount == model.tokenCount(for: prompt))
        #expect(result.usage.timeToFirstToken > 0)
    }

    @Test("A model that was trained to end its texts ends them")
    func endOfText() async throws {
        let model = try await GGUFLanguageModel(contentsOf: bundled)
        let answer = try await model.completion(of: prompt, options: GenerationOptions(samplingMode: .greedy))
        #expect(answer.finishReason == .endOfTurn)
        #expect(answer.usage.output.totalTokenCount < 400)
    }

    @Test("An answer ends before a stop sequence")
    func stopSequence() async throws {
        let model = try await GGUFLanguageModel(contentsOf: bundled)
        let whole = try await model.completion(of: prompt, options: options(.greedy)).content
        let stop = String(whole.dropFirst(9).prefix(7))
        var options = options(.greedy)
        options.local.stopSequences = ["never said", stop]
        let cut = try await model.completion(of: prompt, options: options)
        #expect(cut.finishReason == .stopSequence)
        let place = try #require(whole.range(of: stop))
        #expect(cut.content == whole[..<place.lowerBound])
    }

    @Test("The context is a limit that is named, never a silent cut")
    func contextLimit() async throws {
        let model = try await GGUFLanguageModel(contentsOf: bundled, options: .init(contextSize: 16))
        let answer = try await model.completion(of: prompt, options: options(.greedy, nil))
        #expect(answer.finishReason == .maximumTokens)
        #expect(answer.usage.input.totalTokenCount + answer.usage.output.totalTokenCount == 16)
        let long = String(repeating: prompt, count: 10)
        let count = model.tokenCount(for: long)
        await #expect {
            _ = try await model.completion(of: long)
        } throws: { error in
            guard case LanguageModelError.contextSizeExceeded(let sizes) = error else { return false }
            return sizes.contextSize == 16 && sizes.tokenCount == count
        }
    }

    @Test("Options out of range are errors that name them")
    func wrongOptions() async throws {
        let model = try await GGUFLanguageModel(contentsOf: bundled)
        var bad: [(GenerationOptions, String)] = [
            (GenerationOptions(temperature: -1), "temperature"), (GenerationOptions(temperature: .nan), "temperature"),
            (GenerationOptions(samplingMode: .random(top: 0)), "top"),
            (GenerationOptions(samplingMode: .random(probabilityThreshold: 2)), "topP"),
        ]
        var bias = GenerationOptions()
        bias.local.logitBias = [1 << 40: 1]
        bad.append((bias, "logitBias"))
        for (options, name) in bad {
            await #expect {
                _ = try await model.completion(of: prompt, options: options)
            } throws: { error in
                guard case LanguageModelError.invalidOptions(let reason) = error else { return false }
                return reason.contains(name)
            }
        }
    }

    @Test("Text that looks like a control token is text")
    func controlTokens() async throws {
        let model = try await GGUFLanguageModel(contentsOf: bundled)
        #expect(model.tokenCount(for: "<|end_of_text|>") > 4)
    }

    @Test("Leaving a stream ends its generation, and cancelling a task throws")
    func cancellation() async throws {
        let model = try await GGUFLanguageModel(contentsOf: bundled, options: .init(contextSize: 1 << 20))
        let endless = options(.greedy, nil)
        for try await _ in model.streamCompletion(of: prompt, options: endless) { break }
        let task = Task { try await model.completion(of: prompt, options: endless) }
        // The engine is free again although a million tokens were asked for twice.
        let short = try await model.completion(of: prompt, options: options(.greedy, 5))
        #expect(short.usage.output.totalTokenCount == 5)
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test("Requests at the same time give what they give alone")
    func interleaved() async throws {
        let model = try await GGUFLanguageModel(contentsOf: bundled)
        let prompts = ["The engine light is", "Check the tyre", "Brake fluid", "A warning"]
        var alone: [String] = []
        for prompt in prompts {
            alone.append(try await model.completion(of: prompt, options: options(.greedy)).content)
        }
        let together = try await withThrowingTaskGroup(of: (Int, String).self) { group in
            for (index, prompt) in prompts.enumerated() {
                group.addTask { (index, try await model.completion(of: prompt, options: options(.greedy)).content) }
            }
            return try await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
        }
        for index in prompts.indices { #expect(together[index] == alone[index]) }
    }

    @Test("Stored options mean the same later: what they do not say is as if nothing were set")
    func storedOptions() throws {
        var options = GenerationOptions(temperature: 0.5)
        options.local.seed = 7
        options.local.stopSequences = ["\n"]
        options.local.contextOverflow = .slidingWindow(keeping: 3)
        let stored = try JSONEncoder().encode(options)
        #expect(try JSONDecoder().decode(GenerationOptions.self, from: stored) == options)
        let window = try JSONDecoder().decode(
            LocalSamplingOptions.self, from: Data(#"{"contextOverflow": {"slidingWindow": {"keeping": 3}}}"#.utf8))
        #expect(window.contextOverflow == .slidingWindow(keeping: 3))
        let few = try JSONDecoder().decode(LocalSamplingOptions.self, from: Data(#"{"seed": 7, "typicalP": 0.5}"#.utf8))
        var expected = LocalSamplingOptions()
        expected.seed = 7
        expected.typicalP = 0.5
        #expect(few == expected)
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(LocalSamplingOptions.self, from: Data(#"{"seed": "seven"}"#.utf8))
        }
    }
}
