import EdgeRAG
import EdgeTestSupport
import Foundation
import Synchronization
import Testing

@Suite("Answers from documents") struct GroundingTests {
    private let retriever = FixedRetriever([
        "The tyres need 2.4 bar. Check them \"once\" a month.", "Prüfen Sie das Öl.\nEs kostet 5 €.",
    ])

    private func respond(
        _ answer: String, _ retriever: FixedRetriever? = nil
    ) async throws -> (GroundedResponse, ObedientModel) {
        let model = ObedientModel(answer: answer)
        let session = LanguageModelSession(model: model)
        return (try await session.respond(to: "What pressure?", grounding: retriever ?? self.retriever), model)
    }

    @Test("An answer with its quotes, to the byte")
    func answered() async throws {
        let (response, model) = try await respond(
            #"{"found": "yes", "quotes": ["Check them \"once\" a month.", "Es kostet 5 €."], "answer": "2.4 bär"}"#)
        #expect(response.outcome == .answered && response.content == "2.4 bär")
        #expect(response.citations.map(\.quote) == ["Check them \"once\" a month.", "Es kostet 5 €."])
        for citation in response.citations {
            #expect(Array(citation.passage.text.utf8)[citation.range].elementsEqual(citation.quote.utf8))
        }
        #expect(response.citations.map(\.passage.id) == [1, 2])
        let prompt = try #require(model.prompts.withLock { $0.first })
        #expect(
            prompt.contains("Passage 2 (manual.txt):\nPrüfen Sie das Öl.")
                && prompt.hasSuffix("Question: What pressure?"))
    }

    @Test("Words that stand in no passage are no quotes")
    func unsupported() async throws {
        let (response, _) = try await respond(
            #"{"found": "yes", "quotes": ["The tyres need 9 bar.", "…"], "answer": "9 bar"}"#)
        #expect(response.outcome == .unsupported && response.citations.isEmpty)
        #expect(response.rejectedQuotes == ["The tyres need 9 bar.", "…"])
        // A part of a sentence stands there too.
        let (part, _) = try await respond(#"{"found": "yes", "quotes": ["need 2.4 bar"], "answer": "2.4"}"#)
        #expect(part.outcome == .answered && part.citations.first?.range == 10..<22)
    }

    @Test("That the documents do not say is an answer")
    func notInDocuments() async throws {
        let (response, _) = try await respond(#"{"found": "no"}"#)
        #expect(response.outcome == .notInDocuments && response.content.isEmpty && response.citations.isEmpty)
        // Without passages the model is not even asked.
        let (nothing, model) = try await respond("never read", FixedRetriever([]))
        #expect(nothing.outcome == .notInDocuments && model.prompts.withLock { $0.isEmpty })
        let (empty, other) = try await respond("never read", FixedRetriever([" …  "]))
        #expect(empty.outcome == .notInDocuments && other.prompts.withLock { $0.isEmpty })
    }

    @Test("Passages, quotes and the answer come as they are known")
    func events() async throws {
        let session = LanguageModelSession(
            model: ObedientModel(answer: #"{"found": "yes", "quotes": ["Prüfen Sie das Öl."], "answer": "Öl prüfen"}"#))
        var kinds: [String] = []
        var text = ""
        for try await event in session.streamResponse(to: "Was?", grounding: retriever) {
            switch event {
            case .passages(let passages): kinds.append("\(passages.count) passages")
            case .citation(let citation): kinds.append(citation.quote)
            case .text(let piece):
                text += piece
                if kinds.last != "text" { kinds.append("text") }
            case .finished(let response): kinds.append(response.outcome.rawValue)
            }
        }
        #expect(kinds == ["2 passages", "Prüfen Sie das Öl.", "text", "answered"] && text == "Öl prüfen")
    }

    @Test("A model from a file can quote nothing but sentences of the passages", arguments: 1...6)
    func enforced(seed: UInt64) async throws {
        let model = try await bundled()
        let options = GenerationOptions(
            samplingMode: .random(probabilityThreshold: 1, seed: seed), temperature: 1, maximumResponseTokens: 300)
        let response = try await LanguageModelSession(model: model).respond(
            to: "What pressure?", grounding: retriever, options: options)
        #expect(response.rejectedQuotes.isEmpty)
        #expect(response.firstTokenSeconds != nil)
        switch response.outcome {
        case .answered: #expect(!response.citations.isEmpty)
        case .notInDocuments: #expect(response.citations.isEmpty && response.content.isEmpty)
        // Cut before the first quote was whole.
        case .unsupported: #expect(response.finishReason == .maximumTokens)
        }
    }

    @Test("What answers begin with is computed ahead, and then only the question is new")
    func beginnings() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edge-rag-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try await PassageStore(at: nil)
        try await store.add([
            Document(name: "tyres", text: "The tyres need 2.4 bar."),
            Document(name: "oil", text: "The oil is changed once a year."),
        ])
        let model = try await bundled(PrefixStore(directory: folder, savesPrompts: false))
        #expect(try await store.saveBeginnings(of: ["tyres", "Which tyres?", "nothing"], for: model) == 1)
        var usage = Usage.zero
        for seed in UInt64(1)...40 where usage.input.totalTokenCount == 0 {
            let options = GenerationOptions(
                samplingMode: .random(probabilityThreshold: 1, seed: seed), temperature: 1, maximumResponseTokens: 60)
            usage = try await LanguageModelSession(model: model).respond(
                to: "What do the tyres need?", grounding: store, options: options
            ).usage
        }
        let isNew = usage.input.totalTokenCount - usage.input.cachedTokenCount
        #expect(usage.input.totalTokenCount > 100 && isNew < 40, "\(usage)")
    }

    private func bundled(_ prefixes: PrefixStore? = nil) async throws -> GGUFLanguageModel {
        try await GGUFLanguageModel(
            contentsOf: fixtures.appendingPathComponent("edge-car-1m.gguf"),
            options: .init(
                contextSize: 4096, threadCount: 2,
                chatTemplate:
                    "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}\n{% endfor %}assistant:",
                prefixStore: prefixes))
    }

    @Test("No text of a passage becomes a control token")
    func controlTokens() async throws {
        let model = try await bundled()
        let control = (0..<model.tokenizer.tokenCount).filter(model.tokenizer.isControl)
        let spelled = control.compactMap { model.tokenizer.bytes(of: $0).map { String(decoding: $0, as: UTF8.self) } }
        #expect(control.count > 2 && spelled.count == control.count)
        let wanted = Set(control)
        func count(_ text: String) throws -> Int {
            try model.promptTokens(for: text, instructions: nil).filter(wanted.contains).count
        }
        let expected = try count("The tyres need 2.4 bar.")
        // The marks of other models, and this one's own.
        for injection in injections { #expect(try count(injection + spelled.joined()) == expected, "\(injection)") }
        // They would be control tokens if they were read as such.
        let read = model.tokenizer.encode(spelled.joined(), parsesSpecialTokens: true).filter(wanted.contains).count
        #expect(read >= control.count)
    }

    @Test("Text that asks for a tool gets none called: while an answer from documents is written there are no tools")
    func injected() async throws {
        #expect(injections.count == 100)
        for injection in injections {
            let unlock = UnlockDoors()
            let model = ObedientModel(
                answer: #"{"found": "no"}"#,
                call: .init(trigger: "nlock_doors", names: ["unlock_doors", "unlock_doors"], arguments: "{}"))
            let session = LanguageModelSession(model: model, tools: [unlock])
            _ = try? await session.respond(to: "How do I drive?", grounding: FixedRetriever([injection]))
            #expect(unlock.counter.count.withLock { $0 } == 0, "\(injection)")
        }
    }

    @Test("Text that a search returned gets no other tool called")
    func searchTool() async throws {
        for injection in injections {
            let unlock = UnlockDoors()
            let search = SearchTool(FixedRetriever([injection]))
            // First it searches, then it does what it read.
            let model = SearchingModel()
            let session = LanguageModelSession(model: model, tools: [search, unlock])
            session.setToolApproval(search.approval())
            let response = try await session.respond(to: "How do I drive?")
            #expect(response.content == "done" && unlock.counter.count.withLock { $0 } == 0, "\(injection)")
            #expect(search.passages.map(\.passage.text) == [injection])
        }
    }

    @Test("What the program allows is called after a search too")
    func approval() async throws {
        let unlock = UnlockDoors()
        let search = SearchTool(retriever)
        let session = LanguageModelSession(model: SearchingModel(), tools: [search, unlock])
        session.setToolApproval(search.approval { $0.toolName == "unlock_doors" ? .execute : .stop })
        _ = try await session.respond(to: "Open up")
        #expect(unlock.counter.count.withLock { $0 } == 1)
        #expect(search.citation(of: "need 2.4 bar")?.passage.id == 1 && search.citation(of: "need 3 bar") == nil)
        search.reset()
        #expect(search.passages.isEmpty)
    }
}

/// Searches, then unlocks the doors, then is done.
private struct SearchingModel: LanguageModel {
    struct Executor: LanguageModelExecutor {
        struct Configuration: Hashable, Sendable {}

        init(configuration: Configuration) {}

        func prewarm(model: SearchingModel, transcript: Transcript) {}

        nonisolated(nonsending) func respond(
            to request: LanguageModelExecutorGenerationRequest, model: SearchingModel,
            streamingInto channel: LanguageModelExecutorGenerationChannel
        ) async throws {
            let calls = [("search_documents", #"{"query": "drive"}"#), ("unlock_doors", "{}")]
            let done = request.transcript.filter {
                if case .toolOutput = $0 { true } else { false }
            }.count
            guard done < calls.count else {
                return await channel.send(.response(action: .appendText("done", tokenCount: 1)))
            }
            await channel.send(
                .toolCalls(
                    action: .toolCall(
                        id: "\(done)", name: calls[done].0, action: .appendArguments(calls[done].1, tokenCount: 1))))
        }
    }

    let capabilities = LanguageModelCapabilities([.toolCalling])
    var executorConfiguration: Executor.Configuration { .init() }
}
