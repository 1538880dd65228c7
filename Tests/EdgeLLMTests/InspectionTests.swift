import EdgeGGUF
import EdgePlatform
import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeLLM

@Suite("Files and vocabularies, looked into") struct InspectionTests {
    private let url = fixtures.appendingPathComponent("edge-car-1m.gguf")

    @Test("Metadata, tensors and sums are those of the file")
    func contents() async throws {
        let contents = try await GGUFContents(contentsOf: url)
        guard case .string("llama")? = contents["general.architecture"] else {
            Issue.record("\(String(describing: contents["general.architecture"]))")
            return
        }
        #expect(contents["no.such.key"] == nil)
        let tokens = try #require(contents.metadata.first { $0.key == "tokenizer.ggml.tokens" })
        guard case .array(let elements) = tokens.value else {
            Issue.record("the tokens are no array")
            return
        }
        #expect(tokens.typeName == "arr[str]" && elements.count == elements.read().count)
        #expect(elements.count == (try await GGUFTokenizer(contentsOf: url)).tokenCount)
        #expect(contents.paths == [url.path] && !contents.isBigEndian)
        #expect(contents.byteCount == (try url.resourceValues(forKeys: [.fileSizeKey])).fileSize)
        #expect(contents.tensors.reduce(0) { $0 + $1.byteCount } == contents.tensorByteCount)
        #expect(contents.tensors.reduce(0) { $0 + $1.valueCount } == contents.parameterCount)
        #expect(contents.types.reduce(0) { $0 + $1.tensorCount } == contents.tensors.count)
        for tensor in contents.tensors {
            #expect(tensor.fileOffset % contents.alignment == 0)
            #expect(tensor.fileOffset + tensor.byteCount <= contents.byteCount)
            #expect(Double(tensor.byteCount * 8) == tensor.bitsPerWeight * Double(tensor.valueCount))
        }
        let model = try await GGUFLanguageModel(contentsOf: url)
        #expect(model.metadata.parameterCount == contents.parameterCount)
    }

    @Test("Every kind of value comes out as it was written")
    func values() throws {
        var writer = GGUFWriter()
        let written: [(key: String, value: GGUFValue, expected: String)] = [
            ("u8", .uint8(200), "u8 integer 200"), ("i64", .int64(.min), "i64 integer \(Int.min)"),
            ("u64", .uint64(5), "u64 integer 5"), ("large", .uint64(.max), "u64 unsigned \(UInt64.max)"),
            ("f32", .float32(1e-5), "f32 float 1e-05"), ("f64", .float64(0.1), "f64 double 0.1"),
            ("flag", .bool(true), "bool bool true"), ("text", .string("é\n"), "str string é\n"),
            ("bad", .malformedString([0x61, 0xFF]), "str string a\u{FFFD}"),
            ("texts", .array(GGUFArray(["a", "", "b"])), "arr[str] [string a, string , string b]"),
            ("small", .array(GGUFArray([1, 255] as [UInt8])), "arr[u8] [integer 1, integer 255]"),
            (
                "mixed", .array(GGUFArray([1, UInt64.max])),
                "arr[u64] [integer 1, unsigned \(UInt64.max)]"
            ),
            ("floats", .array(GGUFArray([0.5, 1e-5] as [Float])), "arr[f32] [float 0.5, float 1e-05]"),
            ("flags", .array(GGUFArray([true, false])), "arr[bool] [bool true, bool false]"),
            ("none", .array(GGUFArray([String]())), "arr[str] []"),
        ]
        for (key, value, _) in written { writer.set(key, value) }
        let contents = GGUFContents(try GGUFFile(bytes: ByteView(writer.encoded()), path: "values"))
        for (key, _, expected) in written {
            let entry = try #require(contents.metadata.first { $0.key == key })
            #expect("\(entry.typeName) \(Self.text(entry.value))" == expected)
        }
        #expect(contents.tensors.isEmpty && contents.bitsPerWeight == 0)
    }

    private static func text(_ value: GGUFContents.Value) -> String {
        switch value {
        case .bool(let flag): "bool \(flag)"
        case .integer(let number): "integer \(number)"
        case .unsigned(let number): "unsigned \(number)"
        case .float(let number): "float \(number)"
        case .double(let number): "double \(number)"
        case .string(let text): "string \(text)"
        case .array(let elements): "[" + elements.read().map(text).joined(separator: ", ") + "]"
        }
    }

    @Test("What is no GGUF file, and what is not there, say so")
    func refusals() async throws {
        let readme = packageRoot.appendingPathComponent("README.md")
        let missing = packageRoot.appendingPathComponent("no such file")
        for (url, code) in [(readme, ModelLoadingError.Code.notGGUF), (missing, .unreadable)] {
            func check(_ error: any Error) {
                #expect((error as? ModelLoadingError)?.code == code && "\(error)".contains(url.lastPathComponent))
            }
            do { _ = try await GGUFContents(contentsOf: url); Issue.record("read \(url)") } catch { check(error) }
            do { _ = try await GGUFTokenizer(contentsOf: url); Issue.record("read \(url)") } catch { check(error) }
            do { _ = try MeasuredModel(contentsOf: url); Issue.record("read \(url)") } catch { check(error) }
        }
    }

    @Test("A text is cut and put together again, and ids that there are not are refused")
    func tokenizer() async throws {
        let tokenizer = try await GGUFTokenizer(contentsOf: url)
        let text = "Check the oil, then the brake fluid. Ölstand prüfen – 100 %"
        let tokens = tokenizer.encode(text)
        #expect(tokens.first == tokenizer.beginningToken)
        #expect(try tokenizer.decode(tokens) == text)
        #expect(tokenizer.encode(text, addsSpecialTokens: false) == Array(tokens.dropFirst()))
        let bytes = tokens.dropFirst().flatMap { tokenizer.bytes(of: $0) ?? [] }
        #expect(String(decoding: bytes, as: UTF8.self) == text)
        // This vocabulary has no tokens for single bytes that are no text.
        let raw: [UInt8] = [0x61, 0xFF, 0x00, 0x80, 0x62]
        let ids = tokenizer.encode(bytes: raw, addsSpecialTokens: false)
        #expect(try tokenizer.decode(ids) == String(decoding: raw, as: UTF8.self))

        let end = try #require(tokenizer.endTokens.first)
        #expect(tokenizer.isControl(end))
        let spelled = String(decoding: tokenizer.bytes(of: end) ?? [], as: UTF8.self)
        #expect(!tokenizer.encode(spelled).contains(end))
        #expect(tokenizer.encode(spelled, parsesSpecialTokens: true).contains(end))
        #expect(try tokenizer.decode([end]).isEmpty && tokenizer.decode([end], skipsSpecialTokens: false) == spelled)

        for bad in [-1, tokenizer.tokenCount, .max, .min] {
            #expect(tokenizer.bytes(of: bad) == nil && !tokenizer.isControl(bad))
            #expect(throws: LanguageModelError.self) { try tokenizer.decode([bad]) }
            let model = try await GGUFLanguageModel(contentsOf: url)
            await #expect(throws: LanguageModelError.self) {
                try await model.streamCompletion(ofTokens: [1, bad]).collect()
            }
        }
    }
}
