import EdgeTestSupport
import Testing

@testable import EdgeTokenizer

@Suite("Round trips", .enabled(if: SharedData.isPresent, "\(SharedData.reason)"))
struct RoundTripTests {
    @Test("Decoding gives back the text", arguments: Recorded.byteComplete)
    func text(_ name: String) throws {
        let tokenizer = try Recorded.tokenizer(name)
        for seed in UInt64(0)..<300 {
            var random = RandomText(seed: seed)
            let text = random.next(pieces: Int(seed % 40))
            let ids = tokenizer.encode(text, addSpecial: false, parseSpecial: false)
            #expect(tokenizer.decode(ids).utf8.elementsEqual(text.utf8), "seed \(seed): \(text.debugDescription)")
        }
    }

    /// SentencePiece keeps bytes as they are; byte-level BPE reads text first, so that what cannot be read is replaced.
    @Test("Bytes that are not UTF-8 are encoded without loss or after repair", arguments: Recorded.byteComplete)
    func bytes(_ name: String) throws {
        let tokenizer = try Recorded.tokenizer(name)
        let isSentencePiece = tokenizer.addsSpacePrefix
        for seed in UInt64(0)..<200 {
            var random = RandomText(seed: seed)
            let bytes = random.bytes(Int(seed % 50))
            let ids = tokenizer.encode(bytes: bytes, addSpecial: false, parseSpecial: false)
            var back = ids.flatMap { tokenizer.bytes(of: $0) }
            if isSentencePiece && !back.isEmpty { back.removeFirst() }
            #expect(back == (isSentencePiece ? bytes : CodePoints.repaired(bytes)), "seed \(seed): \(bytes)")
        }
    }

    @Test("Repair leaves well-formed text alone and shortens overlong forms")
    func repair() {
        #expect(CodePoints.repaired(Array("aé中🙂".utf8)) == Array("aé中🙂".utf8))
        #expect(CodePoints.repaired([0x61, 0xFF, 0x62]) == Array("a\u{FFFD}b".utf8))
        #expect(CodePoints.repaired([0xC1, 0xA1]) == [0x61])
        #expect(CodePoints.repaired([0xF7, 0xBF, 0xBF, 0xBF]) == [0xEF, 0xBF, 0xBD])
        #expect(CodePoints.repaired([0xE4, 0xB8]) == [0xEF, 0xBF, 0xBD, 0xEF, 0xBF, 0xBD])
    }

    @Test("A stream of tokens gives the decoded text, in whole characters", arguments: Recorded.names)
    func stream(_ name: String) throws {
        let tokenizer = try Recorded.tokenizer(name)
        for seed in UInt64(0)..<200 {
            var random = RandomText(seed: seed)
            let ids = tokenizer.encode(random.next(pieces: 20), addSpecial: true, parseSpecial: false)
            var decoder = StreamingDecoder(tokenizer)
            var text = ""
            for id in ids {
                let piece = decoder.append(id)
                #expect(!piece.unicodeScalars.contains("\u{FFFD}"), "seed \(seed)")
                text += piece
            }
            text += decoder.finish()
            #expect(text.utf8.elementsEqual(tokenizer.decode(ids).utf8), "seed \(seed)")
        }
    }

    @Test("A stream of any ids, known or not, gives what decoding gives", arguments: Recorded.names)
    func anyIds(_ name: String) throws {
        let tokenizer = try Recorded.tokenizer(name)
        for seed in UInt64(0)..<200 {
            var random = RandomText(seed: seed)
            let ids = random.ids(30, below: seed % 2 == 0 ? tokenizer.count : 260)
            for skipSpecial in [true, false] {
                var decoder = StreamingDecoder(tokenizer, skipSpecial: skipSpecial)
                let text = ids.map { decoder.append($0) }.joined() + decoder.finish()
                let whole = tokenizer.decode(ids, skipSpecial: skipSpecial)
                #expect(text.utf8.elementsEqual(whole.utf8), "seed \(seed): \(ids)")
            }
        }
    }

    @Test("A stream that continues a text keeps its first space")
    func continues() throws {
        let tokenizer = try Recorded.tokenizer("llama-spm")
        let ids = tokenizer.encode("hello", addSpecial: false, parseSpecial: false)
        var first = StreamingDecoder(tokenizer)
        #expect(ids.map { first.append($0) }.joined() == "hello")
        var second = StreamingDecoder(tokenizer, continuesText: true)
        #expect(ids.map { second.append($0) }.joined() == " hello")
    }

    @Test("WordPiece decodes without spaces before punctuation and around lone apostrophes")
    func wordPiece() throws {
        let tokenizer = try Recorded.tokenizer("bert-bge")
        let ids = tokenizer.encode("Hello, world! Isn't it?", addSpecial: true, parseSpecial: false)
        #expect(tokenizer.decode(ids) == "hello, world! isn't it?")
    }
}
