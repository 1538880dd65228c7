import EdgeRAG
import EdgeTestSupport
import Foundation
import Synchronization
import Testing

@Suite("Knowledge packs") struct PackTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edge-pack-\(UUID())")

    private func url(_ name: String) -> URL { folder.appendingPathComponent(name) }

    private func remove() { try? FileManager.default.removeItem(at: folder) }

    private func store(_ embedder: WordEmbedder? = WordEmbedder()) async throws -> PassageStore {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let store = try await PassageStore(at: url("store"), embedder: embedder)
        try await store.add(
            [
                Document(
                    name: "manual.md",
                    text: """
                        # Lights
                        The engine light flashes when a cylinder misfires. Stop the car, and let the engine cool down before you look for the cause.

                        # Tyres
                        The pressure of the tyres is 2.4 bar. Check it once a month, when the tyres are cold, and before long journeys too.
                        """, format: .markdown, metadata: ["model": "T90"])
            ]
                + (0..<60).map {
                    Document(
                        name: "note\($0).txt", text: "Note \($0) says to check the oil after \($0 * 100) kilometres.")
                })
        return store
    }

    private func model(
        _ file: URL = fixtures.appendingPathComponent("edge-car-1m.gguf"), threads: Int = 2, pack: URL? = nil,
        prefixes: URL? = nil,
        precision: GGUFLanguageModel.CachePrecision = .f16
    ) async throws -> GGUFLanguageModel {
        try await GGUFLanguageModel(
            contentsOf: file,
            options: .init(
                contextSize: 4096, threadCount: threads, cachePrecision: precision,
                chatTemplate:
                    "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}\n{% endfor %}assistant:",
                prefixStore: prefixes.map { PrefixStore(directory: $0, savesPrompts: false) }, pack: pack))
    }

    @Test("A pack is searched as its store is, to the same scores, and stays as it is")
    func search() async throws {
        defer { remove() }
        let store = try await store()
        try await store.pack(to: url("pack"))
        let before = try Data(contentsOf: url("pack"))
        let pack = try await PassageStore(at: url("pack"), embedder: WordEmbedder())
        #expect(
            pack.isPack && !store.isPack && KnowledgePack.isPack(url("pack")) && !KnowledgePack.isPack(url("store")))
        #expect(try await pack.statistics() == store.statistics())
        #expect(try await pack.passages(of: "manual.md") == store.passages(of: "manual.md"))
        for mode in Ranking.Mode.allCases {
            for diversity in [0, 0.5] {
                let ranking = Ranking(mode: mode, diversity: diversity)
                for query in ["which pressure for tyres?", "oil after 700 kilometres"] {
                    let (found, expected) = (
                        try await pack.search(query, filter: .not(.source("note3.txt")), ranking: ranking),
                        try await store.search(query, filter: .not(.source("note3.txt")), ranking: ranking)
                    )
                    #expect(found.passages == expected.passages && !found.passages.isEmpty, "\(ranking)")
                }
            }
        }
        // Without a model too, and with many readers at once.
        #expect(try await PassageStore(at: url("pack")).passages(for: "misfires", limit: 1).count == 1)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask { [url = url("pack")] in
                    try await PassageStore(at: url, embedder: WordEmbedder()).passages(for: "tyres", limit: 3).count
                }
            }
            for try await count in group { #expect(count == 3) }
        }
        let refused = await #expect(throws: RetrievalError.self) {
            try await pack.add([Document(name: "x", text: "new")])
        }
        #expect(refused?.code == .unreadable)
        for again in [pack, store] {
            let error = await #expect(throws: RetrievalError.self) { try await again.pack(to: url("pack")) }
            #expect(error?.code == .invalidOptions)
        }
        let other = await #expect(throws: RetrievalError.self) {
            try await PassageStore(at: url("pack"), embedder: WordEmbedder(identifier: "others"))
        }
        #expect(other?.code == .modelMismatch)
        #expect(try Data(contentsOf: url("pack")) == before)
        let contents = try KnowledgePack(contentsOf: url("pack"))
        #expect(contents.damage().isEmpty && contents.vectorCount == 62 && contents.modelName == nil)
        #expect(
            contents.sections.map(\.name) == [
                "store", "vectors/ids", "vectors/bounds", "vectors/codes", "vectors/values",
            ])
        // Nothing is left beside it.
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(files.allSatisfy { $0 == "pack" || $0 == "store" || $0.hasPrefix("store-") }, "\(files)")
    }

    @Test("Damage is found where it matters, and named; what was cut is never taken for a store")
    func damage() async throws {
        defer { remove() }
        try await store().pack(to: url("pack"))
        let whole = try Data(contentsOf: url("pack"))
        let sections = try KnowledgePack(contentsOf: url("pack")).sections
        let damaged = url("damaged")
        for section in sections {
            var bytes = whole
            bytes[section.byteOffset + section.byteCount / 2] ^= 16
            try bytes.write(to: damaged)
            let found = try KnowledgePack(contentsOf: damaged).damage()
            #expect(found.map(\.code) == [.damagedStore] && found[0].message.contains("'\(section.name)'"))
            #expect(found[0].byteOffset == section.byteOffset)
            let error = await #expect(throws: RetrievalError.self) {
                try await PassageStore(at: damaged, embedder: WordEmbedder())
            }
            #expect(error?.code == .damagedStore && error?.message.contains("'\(section.name)'") == true)
            if section.name != "store" {
                // Words need no vectors.
                #expect(try await PassageStore(at: damaged).passages(for: "misfires", limit: 1).count == 1)
            }
            #expect(try Data(contentsOf: damaged) == bytes)
        }
        for count in [4096, sections[1].byteOffset, whole.count / 2, whole.count - 1] {
            try whole.prefix(count).write(to: damaged)
            let error = await #expect(throws: RetrievalError.self) { try await PassageStore(at: damaged) }
            #expect(error?.code == .damagedStore, "\(count)")
            #expect(try Data(contentsOf: damaged) == whole.prefix(count))
        }
        #expect(throws: RetrievalError.self) { try KnowledgePack(contentsOf: url("store")) }
        #expect(throws: RetrievalError.self) { try KnowledgePack(contentsOf: url("none")) }
    }

    @Test("A model takes beginnings from a pack, to the same bits, for any number of threads", arguments: [1, 2])
    func beginnings(threads: Int) async throws {
        defer { remove() }
        let store = try await store()
        let writer = try await model(prefixes: url("prefixes"))
        #expect(
            try await store.saveBeginnings(of: ["Which pressure for tyres?", "the light flashes"], for: writer) == 2)
        try await store.pack(to: url("pack"), for: writer)
        let contents = try KnowledgePack(contentsOf: url("pack"))
        #expect(contents.beginningCount == 2 && contents.computedPassageCount == 0 && contents.modelName != nil)

        let (cold, warm) = (try await model(threads: threads), try await model(threads: threads, pack: url("pack")))
        let pack = try await PassageStore(at: url("pack"), embedder: WordEmbedder())
        let expected = try await answer("pressure for tyres?", store, cold)
        let found = try await answer("pressure for tyres?", pack, warm)
        #expect(found.text == expected.text && !found.text.isEmpty)
        let count = found.input.totalTokenCount
        #expect(expected.input.cachedTokenCount == 0 && found.input.cachedTokenCount > count - 60, "\(found.input)")
        #expect(warm.damagedPackSections.isEmpty)
    }

    /// How a model goes on with the prompt of a question and its passages, and what of it was not computed.
    private func answer(
        _ question: String, _ store: PassageStore, _ model: GGUFLanguageModel, reuse: GroundingReuse? = nil
    ) async throws -> (text: String, input: Usage.Input) {
        let reader = ObedientModel(answer: #"{"found": "no"}"#)
        let response = try await LanguageModelSession(model: reader).respond(to: question, grounding: store)
        let prompt = try #require(reader.prompts.withLock { $0.first })
        var options = GenerationOptions(samplingMode: .greedy, maximumResponseTokens: 40)
        options.local.ignoresEnd = true
        options.local.groundingReuse = reuse
        options.local.groundingReuse?.passages = response.passages.map(\.passage.text)
        let answer = try await model.streamCompletion(
            ofTokens: model.promptTokens(for: prompt), options: options
        ).collect()
        return (answer.content, answer.usage.input)
    }

    @Test("Keys and values of another model, or of other settings, are refused; the documents are not")
    func mismatch() async throws {
        defer { remove() }
        let store = try await store()
        try await store.pack(to: url("pack"), for: model(prefixes: url("prefixes")))
        // The same but for one weight.
        var bytes = try Data(contentsOf: fixtures.appendingPathComponent("edge-car-1m.gguf"))
        bytes[bytes.count - 100] ^= 1
        try bytes.write(to: url("other"))
        for load in [
            { try await model(url("other"), pack: url("pack")) },
            { try await model(pack: url("pack"), precision: .f32) },
        ] {
            let error = await #expect(throws: ModelLoadingError.self) { try await load() }
            #expect(error?.code == .packMismatch, "\(String(describing: error))")
        }
        #expect(try await PassageStore(at: url("pack")).passages(for: "misfires", limit: 1).count == 1)
        let none = await #expect(throws: ModelLoadingError.self) { try await model(pack: url("store")) }
        #expect(none?.code == .notAPack)
        try Data(contentsOf: url("pack")).dropLast(100).write(to: url("cut"))
        await #expect(throws: ModelLoadingError.self) { try await model(pack: url("cut")) }
        // A pack that was written without a model goes with any.
        try await store.pack(to: url("words"))
        _ = try await model(pack: url("words"))
    }

    @Test("Damaged keys and values are computed instead, and named")
    func damagedContexts() async throws {
        defer { remove() }
        let store = try await store()
        let writer = try await model(prefixes: url("prefixes"))
        try await store.saveBeginnings(of: ["Which pressure for tyres?"], for: writer)
        #expect(try await store.savePassages(foundBy: ["Which pressure for tyres?"], for: writer, limit: 1) == 1)
        try await store.pack(to: url("pack"), for: writer)
        let sections = try KnowledgePack(contentsOf: url("pack")).sections.filter { $0.name.hasPrefix("kv/") }
        var bytes = try Data(contentsOf: url("pack"))
        for section in sections { bytes[section.byteOffset + section.byteCount / 2] ^= 1 }
        try bytes.write(to: url("damaged"))
        let damaged = try await model(pack: url("damaged"))
        let found = try await answer(
            "Which pressure for tyres?", store, damaged, reuse: GroundingReuse(recomputedShare: 0, measuredEvery: 0))
        let expected = try await answer("Which pressure for tyres?", store, model())
        #expect(found.text == expected.text && found.input.cachedTokenCount == 0)
        #expect(found.input.groundingReuse?.movedPassageCount == 0)
        #expect(
            !damaged.damagedPackSections.isEmpty && Set(damaged.damagedPackSections).isSubset(of: sections.map(\.name)))
    }

    @Test("Passages of a pack are moved to where an answer has them, and that is reported")
    func moved() async throws {
        defer { remove() }
        let store = try await store()
        let writer = try await model(prefixes: url("prefixes"))
        let question = "Which pressure for tyres, when the light flashes?"
        let saved = try await store.savePassages(foundBy: [question], for: writer)
        #expect(saved > 1)
        try await store.pack(to: url("pack"), for: writer)
        let contents = try KnowledgePack(contentsOf: url("pack"))
        #expect(contents.computedPassageCount == saved && contents.damage().isEmpty)
        let reuse = GroundingReuse(recomputedShare: 0.2, divergenceLimit: 100, measuredEvery: 1)
        let found = try await answer(question, store, model(pack: url("pack")), reuse: reuse)
        let known = try #require(found.input.groundingReuse)
        #expect(known.passageCount == 4 && known.movedPassageCount == saved && known.obstacle == nil, "\(known)")
        #expect(known.reusedTokenCount > 50 && known.recomputedTokenCount > 0 && !known.isRejected)
        #expect(known.divergence ?? -1 >= 0)

        // An answer by a session asks for it by itself, where the options do. Which answer is whole is chance; only such say what they took.
        var options = GenerationOptions(temperature: 1, maximumResponseTokens: 60)
        options.local.groundingReuse = reuse
        var report: GroundingReuse.Report?
        for seed in UInt64(1)...40 where report == nil {
            options.samplingMode = .random(probabilityThreshold: 1, seed: seed)
            let session = LanguageModelSession(model: try await model(pack: url("pack")))
            report = try await session.respond(to: question, grounding: store, options: options).usage.input
                .groundingReuse
        }
        #expect(report == known)
    }
}
