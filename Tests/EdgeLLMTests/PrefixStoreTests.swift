import EdgeEngine
import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeLLM

@Suite("Saved beginnings of prompts") struct PrefixStoreTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edge-prefix-\(UUID())")
    private static let text = String(
        repeating: "The engine light is on and the car shakes. Stop and let it cool. ", count: 12)

    private func model(
        _ url: URL = bundled, limit: Int = 1 << 30, saves: Bool = true, contextSize: Int = 512,
        precision: GGUFLanguageModel.CachePrecision = .f16, store: Bool = true
    ) async throws -> GGUFLanguageModel {
        var options = GGUFLanguageModel.LoadOptions(
            contextSize: contextSize, threadCount: 2, cachePrecision: precision,
            chatTemplate: "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: ")
        if store {
            options.prefixStore = PrefixStore(
                directory: folder, byteLimit: limit, savesPrompts: saves, minimumTokenCount: 64)
        }
        return try await GGUFLanguageModel(contentsOf: url, options: options)
    }

    private func options(_ count: Int = 20) -> GenerationOptions {
        var options = GenerationOptions(samplingMode: .random(top: 20, seed: 7), maximumResponseTokens: count)
        options.local.ignoresEnd = true
        return options
    }

    private func files() throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil).sorted {
            $0.path < $1.path
        }
    }

    private func remove() { try? FileManager.default.removeItem(at: folder) }

    private func bytes() throws -> Int {
        try files().reduce(0) {
            try $0 + ((FileManager.default.attributesOfItem(atPath: $1.path)[.size] as? Int) ?? 0)
        }
    }

    @Test(
        "Another process has a prompt's beginning without computing it, with the bits of a cold start",
        arguments: GGUFLanguageModel.CachePrecision.allCases)
    func found(precision: GGUFLanguageModel.CachePrecision) async throws {
        defer { remove() }
        let cold = try await model(precision: precision, store: false).completion(of: Self.text, options: options())
        let first = try await model(precision: precision).completion(of: Self.text, options: options())
        #expect(first.content == cold.content && first.usage.input.cachedTokenCount == 0)
        #expect(try files().count == 1)
        // A model loaded anew has nothing but the folder.
        let again = try await model(precision: precision).completion(of: Self.text, options: options())
        let count = again.usage.input.totalTokenCount
        #expect(again.content == cold.content && again.usage.input.cachedTokenCount == count - 1)
        // A prompt that begins alike, one that is longer, and one that begins otherwise.
        for (prompt, least) in [
            (Self.text.prefix(500) + "Now the brakes squeal, and I am far from home.", 100),
            (Self.text + "What is wrong with it?", count - 2), ("My " + Self.text, 0),
        ] as [(Substring, Int)] {
            let prompt = String(prompt)
            let cold = try await model(precision: precision, store: false).completion(of: prompt, options: options())
            let other = try await model(saves: false, precision: precision).completion(of: prompt, options: options())
            #expect(other.content == cold.content)
            let cached = other.usage.input.cachedTokenCount
            #expect(cached >= least && (least > 0 || cached == 0), "\(cached) of \(prompt)")
        }
        #expect(try files().count == 1)
    }

    @Test(
        "Layers with a window are found too", .enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)))
    func windows() async throws {
        defer { remove() }
        let url = try SharedData.url("golden/models/gemma3-pattern3-linear8.gguf")
        func windowed(store: Bool) async throws -> GGUFLanguageModel {
            var options = GGUFLanguageModel.LoadOptions(contextSize: 400, threadCount: 1, batchSize: 16)
            if store { options.prefixStore = PrefixStore(directory: folder, minimumTokenCount: 64) }
            return try await GGUFLanguageModel(contentsOf: url, options: options)
        }
        let tokens = (0..<260).map { 3 + $0 * 7 % 40 }
        for tokens in [tokens, tokens + [4, 5, 6], Array(tokens.prefix(200)), Array(tokens.prefix(40))] {
            let cold = try await windowed(store: false).streamCompletion(ofTokens: tokens, options: options()).collect()
            let first = try await windowed(store: true).streamCompletion(ofTokens: tokens, options: options()).collect()
            let again = try await windowed(store: true).streamCompletion(ofTokens: tokens, options: options()).collect()
            #expect(first.content == cold.content && again.content == cold.content)
            // What a shorter prompt's windows look back to is in no file of a longer one: it has its own.
            let cached = again.usage.input.cachedTokenCount
            #expect(tokens.count < 64 ? cached == 0 : cached >= tokens.count - 4, "\(cached) of \(tokens.count)")
        }
    }

    @Test("A damaged file is skipped and removed, and the answer is right")
    func damage() async throws {
        defer { remove() }
        let cold = try await model(store: false).completion(of: Self.text, options: options())
        _ = try await model().completion(of: Self.text, options: options())
        let file = try #require(try files().first)
        let whole = try Data(contentsOf: file)
        let reader = try await model(saves: false)
        var random = SplitMix(seed: 3)
        let flips =
            Array(stride(from: 0, to: 64, by: 3))
            + (0..<40).map { _ in Int.random(in: 0..<whole.count, using: &random) }
        let cuts = [0, 1, 63, 64, 200, whole.count / 2, whole.count - 1]
        for change in flips.map({ (flip: $0, cut: -1) }) + cuts.map({ (flip: -1, cut: $0) }) {
            var changed = whole
            if change.flip >= 0 {
                changed[change.flip] ^= 1 << UInt8(change.flip % 8)
            } else {
                changed = whole.prefix(change.cut)
            }
            try changed.write(to: file)
            reader.engine.releaseUnusedCache()
            let answer = try await reader.completion(of: Self.text, options: options())
            #expect(answer.content == cold.content && answer.usage.input.cachedTokenCount == 0, "\(change)")
            #expect(!FileManager.default.fileExists(atPath: file.path), "\(change)")
        }
        #expect(reader.engine.cacheState.contradiction == nil)
        // Under a name that is another's, and of a version to come.
        let other = folder.appendingPathComponent(
            String(file.lastPathComponent.prefix(34)) + "0123456789abcdef.prefix")
        try whole.write(to: other)
        reader.engine.releaseUnusedCache()
        _ = try await reader.completion(of: Self.text, options: options())
        #expect(try files().isEmpty)
        // With a damaged and a whole one, the whole one is used.
        _ = try await model().completion(of: String(Self.text.prefix(600)), options: options())
        var changed = whole
        changed[whole.count / 2] ^= 1
        try changed.write(to: file)
        reader.engine.releaseUnusedCache()
        let answer = try await reader.completion(of: Self.text, options: options())
        #expect(answer.content == cold.content && answer.usage.input.cachedTokenCount > 60)
        #expect(try files().count == 1)
    }

    @Test("What was computed with other weights, settings or adapters is another's")
    func foreign() async throws {
        defer { remove() }
        _ = try await model().completion(of: Self.text, options: options())
        let changed = FileManager.default.temporaryDirectory.appendingPathComponent("edge-\(UUID()).gguf")
        defer { try? FileManager.default.removeItem(at: changed) }
        var weights = try Data(contentsOf: bundled)
        weights[weights.count - 8] ^= 0x10
        try weights.write(to: changed)
        for other in [try await model(changed), try await model(precision: .f32)] {
            let answer = try await other.completion(of: Self.text, options: options())
            #expect(answer.usage.input.cachedTokenCount == 0)
        }
        #expect(try files().count == 3)
        func adapted(store: Bool) async throws -> GGUFLanguageModel.Completion {
            let model = try await model(store: store)
            let adapter = try await model.loadAdapter(contentsOf: fixtures.appendingPathComponent("golden/lora-a.gguf"))
            return try await model.completion(of: Self.text, options: options(), adapters: [adapter])
        }
        let cold = try await adapted(store: false)
        let first = try await adapted(store: true)
        let again = try await adapted(store: true)
        #expect(first.usage.input.cachedTokenCount == 0 && again.usage.input.cachedTokenCount > 100)
        #expect(first.content == cold.content && again.content == cold.content)
        // A larger context has room for the same.
        let larger = try await model(contextSize: 1024)
        #expect(try await larger.completion(of: Self.text, options: options()).usage.input.cachedTokenCount > 100)
    }

    @Test("The longest unused files make room, and nothing else in the folder is touched")
    func limit() async throws {
        defer { remove() }
        let prompts = (0..<5).map { "\($0). " + Self.text }
        _ = try await model().completion(of: prompts[0], options: options())
        let size = try bytes()
        let stranger = folder.appendingPathComponent("notes.prefix")
        try Data(count: 4 * size).write(to: stranger)
        // What a killed process left an hour ago goes; what one writes now counts.
        let name = try #require(try files().first { $0 != stranger }).lastPathComponent
        let left = folder.appendingPathComponent(name + ".2147483646-abc.tmp")
        try Data(count: 10).write(to: left)
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -3600)], ofItemAtPath: left.path)
        let small = try await model(limit: 3 * size + size / 2)
        for (index, prompt) in prompts.enumerated() {
            small.engine.releaseUnusedCache()
            _ = try await small.completion(of: prompt, options: options(1))
            // The first one is used again and again, and stays.
            small.engine.releaseUnusedCache()
            let first = try await small.completion(of: prompts[0], options: options(1))
            #expect(first.usage.input.cachedTokenCount > 100, "\(index)")
            #expect(try bytes() - 4 * size <= 3 * size + size / 2)
        }
        #expect(try files().count == 4 && !FileManager.default.fileExists(atPath: left.path))
        #expect(FileManager.default.fileExists(atPath: stranger.path))
        small.engine.releaseUnusedCache()
        #expect(try await small.completion(of: prompts[1], options: options(1)).usage.input.cachedTokenCount < 100)
        // One that is larger than all there may be is not written, and removes nothing.
        let tiny = try await model(limit: size / 2)
        let before = try files()
        _ = try await tiny.completion(of: "All new. " + Self.text, options: options(1))
        #expect(try files() == before)
        let error = await #expect(throws: SavedStateError.self) { try await tiny.savePrefix(of: "New. " + Self.text) }
        #expect(error?.code == .unwritable)
    }

    @Test("Sessions save their instructions by themselves or when told, and find them")
    func sessions() async throws {
        defer { remove() }
        let told = try await model(saves: false)
        let session = LanguageModelSession(model: told, instructions: Self.text)
        try await session.respond(to: "And now?", options: options(8))
        #expect(try files().isEmpty)
        try await session.savePrefix()
        #expect(try files().count == 1)
        let cold = try await LanguageModelSession(model: model(store: false), instructions: Self.text)
            .respond(to: "Why is that?", options: options())
        let other = try await LanguageModelSession(model: model(), instructions: Self.text)
            .respond(to: "Why is that?", options: options())
        #expect(other.content == cold.content && other.usage.input.cachedTokenCount > 150)
        // Too little of it was new for a file of its own.
        #expect(try files().count == 1)
        for file in try files() { try FileManager.default.removeItem(at: file) }
        let fresh = try await model()
        let warmed = LanguageModelSession(model: fresh, instructions: Self.text)
        warmed.prewarm()
        let answer = try await warmed.respond(to: "Why is that?", options: options())
        #expect(answer.content == cold.content && answer.usage.input.cachedTokenCount > 150)
        #expect(try files().count == 1)
        let none = try await model(store: false)
        let error = await #expect(throws: SavedStateError.self) { try await none.savePrefix(of: Self.text) }
        #expect(error?.code == .unwritable)
        let scripted = LanguageModelSession(model: ScriptedModel(["a"]))
        await #expect(throws: SavedStateError.self) { try await scripted.savePrefix() }
        await #expect(throws: SavedStateError.self) { try await fresh.savePrefix(of: "Too short.") }
    }

    @Test("A folder that cannot be is refused at loading; one that goes away costs only its use")
    func noFolder() async throws {
        var options = GGUFLanguageModel.LoadOptions()
        options.prefixStore = PrefixStore(directory: bundled.appendingPathComponent("below-a-file"))
        let error = await #expect(throws: ModelLoadingError.self) {
            try await GGUFLanguageModel(contentsOf: bundled, options: options)
        }
        #expect(error?.code == .invalidOptions)
        options.prefixStore = PrefixStore(directory: folder, minimumTokenCount: 3)
        await #expect(throws: ModelLoadingError.self) {
            try await GGUFLanguageModel(contentsOf: bundled, options: options)
        }
        let model = try await model()
        remove()
        let cold = try await self.model(store: false).completion(of: Self.text, options: self.options())
        #expect(try await model.completion(of: Self.text, options: self.options()).content == cold.content)
        let unsaved = await #expect(throws: SavedStateError.self) { try await model.savePrefix(of: Self.text) }
        #expect(unsaved?.code == .unwritable)
    }

    @Test("Many that read, write and make room in one folder at the same time get what they get alone")
    func manyAtOnce() async throws {
        defer { remove() }
        let prompts = (0..<4).map { "\($0). " + Self.text }
        let cold = try await model(store: false)
        var answers: [String] = []
        for prompt in prompts { answers.append(try await cold.completion(of: prompt, options: options()).content) }
        _ = try await model().completion(of: prompts[0], options: options())
        // Room for two or so.
        let limit = try bytes() * 5 / 2
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask { [answers] in
                    let model = try await self.model(limit: limit)
                    for round in 0..<6 {
                        let index = (worker + round * (worker + 1)) % prompts.count
                        let answer = try await model.completion(of: prompts[index], options: self.options())
                        #expect(answer.content == answers[index])
                        model.engine.releaseUnusedCache()
                    }
                    #expect(model.engine.cacheState.contradiction == nil)
                }
            }
            try await group.waitForAll()
        }
        #expect(try bytes() <= limit && files().allSatisfy { $0.pathExtension == "prefix" })
    }

    @Test("Completions of one model at the same time, each of which saves its prompt, do not see each other's logits")
    func together() async throws {
        defer { remove() }
        let prompts = (0..<6).map { "\($0 * 7). " + Self.text }
        let cold = try await model(store: false)
        var answers: [String] = []
        for prompt in prompts { answers.append(try await cold.completion(of: prompt, options: options()).content) }
        let model = try await model()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (prompt, answer) in zip(prompts, answers) {
                group.addTask {
                    let completion = try await model.completion(of: prompt, options: self.options())
                    #expect(completion.content == answer)
                }
            }
            try await group.waitForAll()
        }
        #expect(try files().count == 6)
        #expect(model.engine.cacheState.contradiction == nil)
    }
}
