import EdgeEngine
import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeLLM

@Suite("Saved sessions") struct SavedStateTests {
    private static let template =
        "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        + "{% if add_generation_prompt %}assistant: {% endif %}"

    private func model(
        _ url: URL = bundled, contextSize: Int = 512, precision: GGUFLanguageModel.CachePrecision = .f16,
        threads: Int = 1
    ) async throws -> GGUFLanguageModel {
        try await GGUFLanguageModel(
            contentsOf: url,
            options: .init(
                contextSize: contextSize, threadCount: threads, cachePrecision: precision, chatTemplate: Self.template))
    }

    private func options(_ count: Int) -> GenerationOptions {
        var options = GenerationOptions(samplingMode: .random(top: 20, seed: 7), maximumResponseTokens: count)
        options.local.ignoresEnd = true
        return options
    }

    private func temporary() -> URL {
        FileManager.default.temporaryDirectory.appendingPathComponent("edge-state-\(UUID().uuidString)")
    }

    /// A file with a conversation of one turn in it.
    private func saved(_ model: GGUFLanguageModel, adapters: [LoRAAdapter] = []) async throws -> (
        URL, LanguageModelSession
    ) {
        let session = LanguageModelSession(model: model, instructions: "You know cars, and answer at length.")
        session.adapters = adapters
        try await session.respond(
            to: "The engine light is on and the car shakes. What should I do?", options: options(40))
        let url = temporary()
        try await session.saveState(to: url)
        return (url, session)
    }

    @Test("A restored session goes on as the saved one does, without computing what it knows")
    func restoring() async throws {
        let (url, session) = try await saved(model())
        defer { try? FileManager.default.removeItem(at: url) }
        let next = try await session.respond(to: "And the brakes?", options: options(30))
        for threads in [1, 2] {
            // Another process has nothing but the file.
            let restored = try await LanguageModelSession(restoring: url, model: model(threads: threads))
            #expect(Array(restored.transcript) == Array(session.transcript.prefix(3)))
            #expect(restored.usage.output.totalTokenCount == 40)
            let answer = try await restored.respond(to: "And the brakes?", options: options(30))
            #expect(answer.content == next.content)
            #expect(
                answer.usage.input.cachedTokenCount == next.usage.input.cachedTokenCount
                    && answer.usage.input.cachedTokenCount > 60)
        }
        // Saved over, and saved with nothing said.
        try await session.saveState(to: url)
        let later = try await LanguageModelSession(restoring: url, model: model())
        #expect(Array(later.transcript) == Array(session.transcript))
        try await LanguageModelSession(model: model()).saveState(to: url)
        #expect(try await LanguageModelSession(restoring: url, model: model()).transcript.isEmpty)
    }

    @Test("A session is restored where its keys and values do not fit the memory they may take")
    func restoringBeyondMemory() async throws {
        let session = LanguageModelSession(
            model: try await model(),
            instructions: String(repeating: "You know cars, and answer at length. ", count: 20))
        try await session.respond(to: "The engine light is on.", options: options(40))
        let url = temporary()
        defer { try? FileManager.default.removeItem(at: url) }
        try await session.saveState(to: url)
        let next = try await session.respond(to: "And the brakes?", options: options(30))
        var settings = GGUFLanguageModel.LoadOptions(
            contextSize: 512, threadCount: 1, chatTemplate: Self.template, batchSize: 16)
        let whole = try MemoryPlan(contentsOf: bundled, options: settings).cache
        settings.cacheMemory = whole / 2
        #expect(try MemoryPlan(contentsOf: bundled, options: settings).spilledCache ?? 0 > 0)
        let restored = try await LanguageModelSession(
            restoring: url, model: GGUFLanguageModel(contentsOf: bundled, options: settings))
        let answer = try await restored.respond(to: "And the brakes?", options: options(30))
        #expect(answer.content == next.content)
        #expect(answer.usage.input.cachedTokenCount > 200)
    }

    @Test("An answer begins with its own sampler: whatever its kind, it is the same after saving and restoring")
    func samplers() async throws {
        var kinds: [(String, GenerationOptions)] = [("greedy", .init(samplingMode: .greedy))]
        func add(_ name: String, _ change: (inout LocalSamplingOptions) -> Void) {
            var options = GenerationOptions(temperature: 1.2)
            options.local.seed = 11
            change(&options.local)
            kinds.append((name, options))
        }
        add("the default chain") { _ in }
        add("mirostat") { $0.mirostat = .init(tau: 4, eta: 0.3) }
        add("penalties") {
            ($0.repetitionPenalty, $0.frequencyPenalty, $0.presencePenalty, $0.penaltyWindow) = (1.3, 0.4, 0.3, -1)
        }
        add("a window of penalties") { ($0.repetitionPenalty, $0.penaltyWindow) = (1.5, 16) }
        add("DRY") { ($0.dryMultiplier, $0.dryWindow, $0.dryBreakers) = (2, -1, []) }
        add("XTC") { ($0.xtcProbability, $0.xtcThreshold) = (0.7, 0.05) }
        add("locally typical") { $0.typicalP = 0.6 }
        add("nucleus") { ($0.topK, $0.topP, $0.minP) = (0, 0.7, 0) }
        var texts: Set<String> = []
        for (name, sampling) in kinds {
            var options = sampling
            options.maximumResponseTokens = 30
            options.local.ignoresEnd = true
            let model = try await model()
            let session = LanguageModelSession(model: model, instructions: "You know cars, and answer at length.")
            // The first answer leaves whatever a sampler of this kind could keep.
            try await session.respond(to: "The engine light is on. What should I do?", options: options)
            let url = temporary()
            defer { try? FileManager.default.removeItem(at: url) }
            try await session.saveState(to: url)
            let next = try await session.respond(to: "And the brakes?", options: options)
            let restored = try await LanguageModelSession(restoring: url, model: self.model())
            let answer = try await restored.respond(to: "And the brakes?", options: options)
            #expect(answer.content == next.content, "\(name)")
            texts.insert(next.content)
        }
        // The kinds choose differently, or nothing was shown.
        #expect(texts.count >= 7)
    }

    @Test("A session whose window has slid is restored with what it still holds")
    func slidingWindow() async throws {
        let model = try await model(contextSize: 128)
        let session = LanguageModelSession(model: model, instructions: "You know cars.")
        var options = options(150)
        options.local.contextOverflow = .slidingWindow(keeping: 12)
        try await session.respond(to: "The engine light is on. What should I do?", options: options)
        #expect(session.usage.droppedTokenCount > 0)
        let url = temporary()
        defer { try? FileManager.default.removeItem(at: url) }
        try await session.saveState(to: url)
        let next = try await session.respond(to: "And the brakes?", options: options)
        let restored = try await LanguageModelSession(restoring: url, model: self.model(contextSize: 128))
        #expect(restored.usage.droppedTokenCount > 0)
        let answer = try await restored.respond(to: "And the brakes?", options: options)
        #expect(answer.content == next.content && answer.usage.droppedTokenCount == next.usage.droppedTokenCount)
        #expect(answer.usage.input.cachedTokenCount == next.usage.input.cachedTokenCount)
        #expect(restored.usage.droppedTokenCount == session.usage.droppedTokenCount)
    }

    @Test("A file cut anywhere is refused")
    func truncation() async throws {
        let model = try await model()
        let (url, _) = try await saved(model)
        defer { try? FileManager.default.removeItem(at: url) }
        let whole = try Data(contentsOf: url)
        // Each byte of the beginning, and the borders of all that follows.
        let lengths =
            Array(0..<80) + stride(from: 80, to: whole.count, by: max(1, whole.count / 150))
            + (1...20).map { whole.count - $0 }
        for length in lengths {
            try whole.prefix(length).write(to: url)
            let error = await #expect(throws: SavedStateError.self) {
                try await LanguageModelSession(restoring: url, model: model)
            }
            #expect(error?.code == (length == 0 ? .notSavedState : .truncated), "\(length) bytes")
        }
        try (whole + [0]).write(to: url)
        let longer = await #expect(throws: SavedStateError.self) {
            try await LanguageModelSession(restoring: url, model: model)
        }
        #expect(longer?.code == .damaged)
        #expect(model.engine.cacheState.contradiction == nil)
    }

    @Test("A flipped bit anywhere is found, and nothing of the state is used")
    func flips() async throws {
        let model = try await model()
        let (url, session) = try await saved(model)
        defer { try? FileManager.default.removeItem(at: url) }
        let whole = try Data(contentsOf: url)
        var random = SplitMix(seed: 5)
        let places =
            Array(0..<8 * 64) + (0..<300).map { _ in Int.random(in: 0..<8 * whole.count, using: &random) }
            + (0..<40).map { 8 * whole.count - 1 - $0 * 7 }
        for place in places {
            var changed = whole
            changed[place / 8] ^= 1 << UInt8(place % 8)
            try changed.write(to: url)
            let error = await #expect(throws: SavedStateError.self, "bit \(place)") {
                try await LanguageModelSession(restoring: url, model: model)
            }
            let codes: [SavedStateError.Code] = [.damaged, .notSavedState, .unsupportedVersion]
            #expect(error.map { codes.contains($0.code) } == true, "bit \(place): \(error.map { "\($0)" } ?? "")")
        }
        // Where the transcript is whole it can be computed again; where it is not, it cannot.
        var changed = whole
        changed[whole.count - 1000] ^= 4
        try changed.write(to: url)
        let again = try await LanguageModelSession(restoring: url, model: model, recomputing: true)
        #expect(Array(again.transcript) == Array(session.transcript))
        let next = try await session.respond(to: "And the brakes?", options: options(10))
        #expect(try await again.respond(to: "And the brakes?", options: options(10)).content == next.content)
        changed[200] ^= 1
        try changed.write(to: url)
        await #expect(throws: SavedStateError.self) {
            try await LanguageModelSession(restoring: url, model: model, recomputing: true)
        }
        #expect(model.engine.cacheState.contradiction == nil)
    }

    @Test("States of other models, settings and adapters are refused by name")
    func foreign() async throws {
        let model = try await model()
        let adapter = try await model.loadAdapter(contentsOf: fixtures.appendingPathComponent("golden/lora-a.gguf"))
        let (plain, _) = try await saved(model)
        let (adapted, _) = try await saved(model, adapters: [adapter.scaled(by: 2)])
        let text = temporary()
        let other = temporary()
        defer { for url in [plain, adapted, text, other] { try? FileManager.default.removeItem(at: url) } }
        try Data("no state at all".utf8).write(to: text)
        // The same shape, one weight changed.
        var weights = try Data(contentsOf: bundled)
        weights[weights.count - 8] ^= 0x10
        try weights.write(to: other)

        func code(_ url: URL, _ model: GGUFLanguageModel, _ adapters: [LoRAAdapter] = []) async -> SavedStateError.Code?
        {
            do {
                _ = try await LanguageModelSession(restoring: url, model: model, adapters: adapters)
                return nil
            } catch {
                return (error as? SavedStateError)?.code
            }
        }
        #expect(await code(text, model) == .notSavedState)
        #expect(await code(temporary(), model) == .unreadable)
        #expect(try await code(plain, self.model(other)) == .otherModel)
        #expect(try await code(plain, self.model(precision: .f32)) == .otherSettings)
        #expect(try await code(plain, self.model(contextSize: 32)) == .contextTooSmall)
        #expect(try await code(plain, self.model(contextSize: 1024)) == nil)
        #expect(await code(plain, model, [adapter]) == .otherSettings)
        #expect(await code(adapted, model) == .otherSettings)
        #expect(await code(adapted, model, [adapter]) == .otherSettings)
        #expect(await code(adapted, model, [adapter.scaled(by: 2)]) == nil)
    }

    @Test("What cannot be written leaves the old state, and a session that answers is not saved")
    func writing() async throws {
        let model = try await model()
        let (url, session) = try await saved(model)
        defer { try? FileManager.default.removeItem(at: url) }
        let folder = url.appendingPathComponent("below-a-file")
        let error = await #expect(throws: SavedStateError.self) { try await session.saveState(to: folder) }
        #expect(error?.code == .unwritable)
        let stream = session.streamResponse(to: "x", options: options(100))
        await #expect(throws: LanguageModelSession.Error.concurrentRequests) { try await session.saveState(to: url) }
        _ = try await stream.collect()
        let scripted = LanguageModelSession(model: ScriptedModel(["a"]))
        let other = await #expect(throws: SavedStateError.self) { try await scripted.saveState(to: url) }
        #expect(other?.code == .unsupportedSession)
        #expect(try await LanguageModelSession(restoring: url, model: model).transcript.count == 3)
    }

    @Test("What killed processes left beside a state is removed when it is old, and nothing else is")
    func leftovers() async throws {
        let model = try await model()
        let folder = temporary()
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        // No process has the highest number that there can be; this one is running.
        let own = ProcessInfo.processInfo.processIdentifier
        let names = [
            "state.2147483646-abc.tmp", "state.2147483646-1z.tmp", "state.\(own)-abc.tmp", "state.tmp", "state.x-y.tmp",
            "other.2147483646-abc.tmp",
        ]
        for name in names {
            let file = folder.appendingPathComponent(name)
            try Data([1]).write(to: file)
            let age = name == names[1] ? 60.0 : 3600
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSinceNow: -age)], ofItemAtPath: file.path)
        }
        try await LanguageModelSession(model: model).saveState(to: folder.appendingPathComponent("state"))
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(Set(left) == Set(names.dropFirst() + ["state"]))
    }
}
