import EdgeLLM
import EdgeTestSupport
import Foundation
import Testing

@Suite("Adapters in the library") struct AdapterLoadingTests {
    private let file = fixtures.appendingPathComponent("golden/lora-a.gguf")

    private var greedy: GenerationOptions {
        var options = GenerationOptions(samplingMode: .greedy, maximumResponseTokens: 24)
        options.local.ignoresEnd = true
        return options
    }

    @Test("An adapter acts on the request that names it, as strongly as it says, and on no other")
    func requests() async throws {
        let model = try await GGUFLanguageModel(contentsOf: bundled)
        let adapter = try await model.loadAdapter(contentsOf: file)
        #expect(adapter.name == "test adapter" && adapter.scale == 1 && adapter.byteCount > 0)
        #expect(adapter != adapter.scaled(by: 2) && adapter.scaled(by: 2) == adapter.scaled(by: 2))
        let prompt = "The engine light is"
        let base = try await model.completion(of: prompt, options: greedy)
        let changed = try await model.completion(of: prompt, options: greedy, adapters: [adapter.scaled(by: 2)])
        #expect(changed.content != base.content)
        #expect(try await model.completion(of: prompt, options: greedy).content == base.content)
        let silent = try await model.completion(of: prompt, options: greedy, adapters: [adapter.scaled(by: 0)])
        #expect(silent.content == base.content)
    }

    @Test("What is no adapter of the model is refused with a code and the file's name")
    func refusals() async throws {
        let model = try await GGUFLanguageModel(contentsOf: bundled)
        for (url, code) in [
            (bundled, ModelLoadingError.Code.invalidMetadata),
            (fixtures.appendingPathComponent("missing.gguf"), .unreadable),
            (fixtures.appendingPathComponent("README.md"), .notGGUF),
        ] {
            do {
                _ = try await model.loadAdapter(contentsOf: url)
                Issue.record("\(url.lastPathComponent) was accepted")
            } catch let error as ModelLoadingError {
                #expect(error.code == code && error.message.contains(url.lastPathComponent), "\(error)")
            }
        }
        let other = try await GGUFLanguageModel(contentsOf: bundled)
        let foreign = try await other.loadAdapter(contentsOf: file)
        do {
            _ = try await model.completion(of: "a", options: greedy, adapters: [foreign])
            Issue.record("another model's adapter was applied")
        } catch let error as ModelLoadingError {
            #expect(error.code == .adapterMismatch)
        }
    }
}
