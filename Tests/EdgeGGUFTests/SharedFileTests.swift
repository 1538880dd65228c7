import EdgeGGUF
import EdgePlatform
import EdgeQuant
import EdgeTestSupport
import Foundation
import Testing

/// Every GGUF file of the shared data that is meant to be whole.
private let sharedFiles: [String] = {
    guard let root = SharedData.root else { return [] }
    return ["tinyllamas", "golden/models", "llama.cpp/models", "embedding"].flatMap { folder in
        let files = try? FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent(folder).path)
        return (files ?? []).filter { $0.hasSuffix(".gguf") }.sorted().map { "\(folder)/\($0)" }
    }
}()

@Suite("Files of other writers", .enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)))
struct SharedFileTests {
    @Test("every model and vocabulary parses, and every value decodes", arguments: sharedFiles)
    func parses(name: String) throws {
        let file = try GGUFFile(path: SharedData.url(name).path)
        #expect(try file.metadata.string("general.architecture").isEmpty == false)
        for entry in file.metadata.entries {
            guard let array = entry.value.array else { continue }
            switch array.elementType {
            case .string:
                let packed = try array.packedStrings()
                #expect(packed.ends.count == array.count)
                #expect(array.strings()?.count == array.count)
                #expect(array.strings()?.reduce(0) { $0 + $1.utf8.count } == packed.bytes.count)
            case .float32, .float64: #expect(array.floats()?.count == array.count)
            case .bool: #expect(array.bools()?.count == array.count)
            default: #expect(array.ints()?.count == array.count)
            }
        }
        for tensor in file.tensors {
            #expect(tensor.type.byteCount(valueCount: tensor.valueCount) == tensor.byteCount)
            #expect(tensor.isMapped)
            #expect(file.tensor(named: tensor.name)?.fileOffset == tensor.fileOffset)
        }
    }
}

@Suite("Malformed corpus", .enabled(if: SharedData.isPresent, Comment(rawValue: SharedData.reason)))
struct MalformedCorpusTests {
    @Test("the corpus is there") func isPresent() { #expect(MalformedCase.all.count > 100) }

    @Test("a file gets the outcome of the manifest", arguments: MalformedCase.all)
    func outcome(of item: MalformedCase) throws {
        let url = try SharedData.url("golden/malformed/\(item.file)")
        var failure: GGUFError?
        do {
            let file = try GGUFFile(path: url.path)
            touch(file)
        } catch {
            failure = error
            #expect(!error.description.contains("\n"))
            #expect(error.description.contains(item.file))
        }
        switch item.expect {
        case "accept": #expect(failure == nil)
        case "reject_parse":
            #expect(failure != nil)
            // Whatever is wrong inside a file has a place or a name.
            if let failure { #expect(failure.byteOffset != nil || failure.key != nil || failure.tensor != nil) }
        default: break
        }
    }
}
