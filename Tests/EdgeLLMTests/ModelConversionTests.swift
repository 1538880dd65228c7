import EdgeLLM
import EdgeTestSupport
import Foundation
import Synchronization
import Testing

@Suite("Conversions") struct ModelConversionTests {
    private let folder = fixtures.appendingPathComponent("convert/models/mixtral", isDirectory: true)
    private let options = ModelConversion.Options(includesTokenizer: false)

    private func place() -> URL { FileManager.default.temporaryDirectory.appendingPathComponent("edge-\(UUID()).gguf") }

    @Test("A folder becomes a file, its progress is told to the end, and what it holds is known before")
    func converts() async throws {
        let url = place()
        defer { try? FileManager.default.removeItem(at: url) }
        let conversion = try await ModelConversion(folder: folder, options: options)
        #expect(conversion.architecture == "llama" && conversion.notes.isEmpty)
        let seen = Mutex<[ModelConversion.Progress]>([])
        try await conversion.write(to: url) { progress in seen.withLock { $0.append(progress) } }
        let all = seen.withLock { $0 }
        #expect(all.count > 10 && all.last?.writtenByteCount == conversion.byteCount)
        #expect(all.allSatisfy { $0.byteCount == conversion.byteCount })
        #expect(zip(all, all.dropFirst()).allSatisfy { $0.writtenByteCount < $1.writtenByteCount })
        let contents = try await GGUFContents(contentsOf: url)
        #expect(contents.tensors.reduce(0) { $0 + $1.byteCount } == conversion.byteCount)
        let phi = try await ModelConversion(
            folder: fixtures.appendingPathComponent("convert/models/phi3"), options: options)
        #expect(phi.notes.isEmpty && phi.parameterCount > 0)
    }

    @Test("A cancelled conversion leaves nothing behind")
    func cancelled() async throws {
        let url = place()
        let conversion = try await ModelConversion(folder: folder, options: options)
        let work = Task {
            try await conversion.write(to: url) { _ in withUnsafeCurrentTask { $0?.cancel() } }
        }
        await #expect(throws: CancellationError.self) { try await work.value }
        #expect(!FileManager.default.fileExists(atPath: url.path))
    }

    @Test("Failures are errors of loading models, with what they are about")
    func failures() async throws {
        let none = await #expect(throws: ModelLoadingError.self) {
            try await ModelConversion(folder: URL(fileURLWithPath: "/nowhere"), options: options)
        }
        #expect(none?.code == .unreadable)
        let unwritable = await #expect(throws: ModelLoadingError.self) {
            try await ModelConversion(folder: folder, options: options).write(to: URL(fileURLWithPath: "/nowhere/x"))
        }
        #expect(unwritable?.code == .unwritable)
        let shuffled = await #expect(throws: ModelLoadingError.self) {
            try await ModelConversion(
                folder: fixtures.appendingPathComponent("convert/models/gptq-shuffled"), options: options)
        }
        #expect(shuffled?.code == .unsupportedTensorType && shuffled?.key?.hasSuffix(".qweight") == true)
    }
}
