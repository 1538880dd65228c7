import EdgeLLM
import EdgePlatform
import EdgeTestSupport
import Foundation
import Testing

@Suite("Loading") struct LoadingTests {
    @Test(
        "A malformed file is an error in one line that names the file; an unusual one runs",
        .enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)), arguments: MalformedCase.all)
    func malformed(_ item: MalformedCase) async throws {
        let url = try SharedData.url("golden/malformed/\(item.file)")
        do {
            let model = try await GGUFLanguageModel(contentsOf: url, options: .init(threadCount: 1))
            #expect(["accept", "either"].contains(item.expect), "it was loaded")
            var options = GenerationOptions(samplingMode: .greedy, maximumResponseTokens: 3)
            options.local.ignoresEnd = true
            do {
                let answer = try await model.completion(of: "ab", options: options)
                #expect(answer.usage.output.totalTokenCount == 3)
            } catch let error as LanguageModelError {
                #expect(item.expect == "either", "\(error)")
            }
        } catch let error as ModelLoadingError {
            #expect(item.expect != "accept", "\(error)")
            #expect(!error.description.contains("\n"))
            #expect(error.description.contains(item.file))
            if item.expect == "reject_load" {
                #expect(error.key != nil || error.byteOffset != nil, "nothing says where: \(error)")
            }
        }
    }

    @Test("Impossible options are refused before any work")
    func options() async {
        for options in [
            GGUFLanguageModel.LoadOptions(contextSize: 0), .init(contextSize: -1), .init(contextSize: .max),
            .init(threadCount: 0), .init(threadCount: 1000),
        ] {
            await #expect {
                _ = try await GGUFLanguageModel(contentsOf: bundled, options: options)
            } throws: { error in
                (error as? ModelLoadingError)?.code == .invalidOptions
            }
        }
    }

    @Test("What is no model is an error")
    func noModel() async throws {
        let folder = FileManager.default.temporaryDirectory
        for (url, code) in [
            (folder.appendingPathComponent("edge-missing-\(UUID()).gguf"), ModelLoadingError.Code.unreadable),
            (folder, .unreadable), (packageRoot.appendingPathComponent("README.md"), .notGGUF),
        ] {
            await #expect {
                _ = try await GGUFLanguageModel(contentsOf: url)
            } throws: { error in
                (error as? ModelLoadingError)?.code == code
            }
        }
    }

    @Test("The file says what the model is")
    func metadata() async throws {
        let model = try await GGUFLanguageModel(contentsOf: bundled)
        #expect(model.metadata.architecture == "llama")
        #expect(model.metadata.name == "Edge Car 1M")
        #expect(model.metadata.quantization == "F16")
        #expect((1_000_000...2_000_000).contains(model.metadata.parameterCount))
        #expect(model.contextSize == model.metadata.trainedContext)
        #expect(model.tokenCount(for: "") == 1)
    }
}
