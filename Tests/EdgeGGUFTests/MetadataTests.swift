import EdgeGGUF
import EdgePlatform
import Testing

@Suite("Typed metadata") struct MetadataTests {
    private func metadata() throws -> GGUFMetadata {
        try GGUFFile(bytes: ByteView(sampleWriter().encoded()), path: "sample.gguf").metadata
    }

    private func code<T>(_ body: () throws -> T) -> GGUFError.Code? {
        do {
            _ = try body()
            return nil
        } catch { return (error as? GGUFError)?.code }
    }

    @Test("a getter tells a missing key from a wrong type")
    func missingAndWrong() throws {
        let metadata = try metadata()
        #expect(try metadata.string("text") == "Grüße, 車\n")
        #expect(try metadata.string("raw").hasPrefix("f\u{FFFD}"))
        #expect(code { try metadata.string("none") } == .missingMetadata)
        #expect(code { try metadata.string("u8") } == .wrongMetadataType)
        #expect(try metadata.optionalString("none") == nil)
        #expect(code { try metadata.optionalString("u8") } == .wrongMetadataType)
        #expect(try metadata.float("f64") == Float(Double.pi))
        #expect(code { try metadata.float("u8") } == .wrongMetadataType)
        #expect(try metadata.bool("true"))
        #expect(code { try metadata.bool("u8") } == .wrongMetadataType)
        #expect(try metadata.strings("a.str").count == 4)
        #expect(code { try metadata.strings("a.u8") } == .wrongMetadataType)
        #expect(code { try metadata.strings("text") } == .wrongMetadataType)
        #expect(code { try metadata.packedStrings("a.u8") } == .wrongMetadataType)
        #expect(code { try metadata.packedStrings("none") } == .missingMetadata)
        #expect(try metadata.ints("a.u16") == [1, 65_535])
        #expect(try metadata.optionalInts("none") == nil)
        #expect(try metadata.floats("a.f32") == [0.5, .infinity])
        #expect(try metadata.bools("a.bool") == [true, false, true])
        #expect(try metadata.int32s("a.i32") == [-5, 6])
    }

    @Test("an integer may have any integer type that holds it")
    func integers() throws {
        let metadata = try metadata()
        #expect(try metadata.int("u8") == 255)
        #expect(try metadata.int("i8") == -128)
        #expect(try metadata.int("u32") == 0x8000_0001)
        #expect(try metadata.int("i64") == .min)
        #expect(code { try metadata.int("u64") } == .invalidValue)
        #expect(code { try metadata.int("f32") } == .wrongMetadataType)
        #expect(code { try metadata.int("true") } == .wrongMetadataType)
        #expect(try metadata.int("u8", in: 0...255) == 255)
        #expect(code { try metadata.int("u8", in: 0...254) } == .invalidValue)
        #expect(try metadata.optionalInt("none", in: 0...1) == nil)
    }

    @Test("an error is one line that names file, key and byte")
    func description() throws {
        let metadata = try metadata()
        do {
            _ = try metadata.int("text")
            Issue.record("no error")
        } catch {
            #expect(error.byteOffset == metadata.entries.first { $0.key == "text" }?.fileOffset)
            #expect(
                error.description
                    == "sample.gguf: the value is of type str but must be an integer (key 'text', byte \(error.byteOffset ?? -1)); convert the model again with current tools"
            )
        }
        let hostile = GGUFError(.malformed, "x", key: "a\u{1B}[31m\n\u{202E}" + String(repeating: "k", count: 99))
        #expect(!hostile.description.contains("\u{1B}"))
        #expect(!hostile.description.contains("\n"))
        #expect(hostile.description.contains("\\u{202e}"))
        #expect(hostile.description.contains("…"))
    }

    @Test("keys are compared by their bytes, not by canonical equivalence")
    func keyBytes() throws {
        let composed = "\u{E9}"
        let decomposed = "e\u{301}"
        #expect(composed == decomposed)
        let file = Fields(tensors: 0, pairs: 2).text(composed).u32(0).u8(1).text(decomposed).u32(0).u8(2)
        let metadata = try GGUFFile(bytes: ByteView(file.bytes), path: "").metadata
        #expect(metadata[composed]?.int == 1)
        #expect(metadata[decomposed]?.int == 2)
    }
}
