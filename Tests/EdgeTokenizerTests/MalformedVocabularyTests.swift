import EdgeTestSupport
import Testing

@testable import EdgeTokenizer

/// Vocabularies that contradict themselves.
@Suite("Malformed vocabularies")
struct MalformedVocabularyTests {
    static let families = ["llama", "gpt2", "gemma4", "bert", "t5", "rwkv"]

    /// A small vocabulary that every family accepts.
    static func small(_ model: String) -> Vocabulary {
        var vocabulary = Vocabulary(
            model: model, tokens: PackedStrings(["<unk>", "<s>", "</s>", "a", "b", "ab", "\u{2581}a", "<0x0A>"]))
        vocabulary.types = [2, 3, 3, 1, 1, 1, 1, 6]
        vocabulary.scores = [0, 0, 0, -3, -3, -1, -2, 0]
        vocabulary.merges = PackedStrings(["a b", "\u{2581} a"])
        vocabulary.unkId = 0
        return vocabulary
    }

    static func code(_ vocabulary: Vocabulary) -> TokenizerError.Code? {
        do throws(TokenizerError) {
            _ = try Tokenizer(vocabulary)
            return nil
        } catch {
            return error.code
        }
    }

    /// Must end without a trap, whatever comes out.
    private static func use(_ vocabulary: Vocabulary) {
        guard let tokenizer = try? Tokenizer(vocabulary) else { return }
        for seed in UInt64(0)..<20 {
            var random = RandomText(seed: seed)
            let ids = tokenizer.encode(random.next(pieces: 10), addSpecial: true, parseSpecial: seed % 2 == 0)
            #expect(ids.allSatisfy { tokenizer.kinds.indices.contains(Int($0)) })
            _ = tokenizer.decode(ids, skipSpecial: false)
            _ = tokenizer.encode(bytes: random.bytes(40), addSpecial: true, parseSpecial: true)
        }
    }

    @Test("The small vocabulary is sound", arguments: families)
    func sound(_ model: String) {
        #expect(Self.code(Self.small(model)) == nil)
        Self.use(Self.small(model))
    }

    @Test("Lists of the wrong length, or none, are refused", arguments: families)
    func counts(_ model: String) {
        var vocabulary = Self.small(model)
        vocabulary.tokens = PackedStrings()
        #expect(Self.code(vocabulary) == .missing)
        vocabulary = Self.small(model)
        vocabulary.scores = [0]
        #expect(Self.code(vocabulary) == .invalid)
        vocabulary = Self.small(model)
        vocabulary.types = []
        #expect(Self.code(vocabulary) == .invalid)
    }

    @Test(
        "Packed strings with ends that fall, or that miss the bytes, are refused",
        arguments: [[3, 2, 9], [1, 2, 8], [1, 2, 10], [-1, 4, 9], [9, 9, 8]])
    func damaged(_ ends: [Int]) {
        var vocabulary = Vocabulary(
            model: "llama", tokens: PackedStrings(bytes: Array("<unk>abcd".utf8), ends: ends))
        #expect(Self.code(vocabulary) == .invalid)
        vocabulary = Self.small("gpt2")
        vocabulary.merges = PackedStrings(bytes: Array("a babcdef".utf8), ends: ends)
        #expect(Self.code(vocabulary) == .invalid)
    }

    @Test("Unknown names are refused and named")
    func names() {
        #expect(Self.code(Self.small("word2vec")) == .unknownModel)
        #expect(Self.code(Self.small("")) == .unknownModel)
        var vocabulary = Self.small("gpt2")
        vocabulary.pre = "no such pre-tokenizer"
        #expect(Self.code(vocabulary) == .unknownPreTokenizer)
        vocabulary.merges = nil
        vocabulary.pre = nil
        #expect(Self.code(vocabulary) == .missing)
    }

    /// Files in the wild write -1 for "none", which reads as a large number.
    @Test("An id outside the list counts as absent", arguments: families)
    func ids(_ model: String) throws {
        for id in [-1, 8, 1 << 31, Int(UInt32.max), .max, .min] {
            var vocabulary = Self.small(model)
            vocabulary.bosId = id
            vocabulary.eosId = id
            vocabulary.unkId = id
            vocabulary.sepId = id
            vocabulary.padId = id
            vocabulary.maskId = id
            vocabulary.eotId = id
            vocabulary.fimPadId = id
            vocabulary.addBos = true
            vocabulary.addEos = true
            let tokenizer = try Tokenizer(vocabulary)
            for known in [tokenizer.bosId, tokenizer.eosId, tokenizer.unkId, tokenizer.sepId, tokenizer.padId] {
                #expect(known.map { $0 >= 0 && $0 < 8 } ?? true)
            }
            Self.use(vocabulary)
        }
    }

    @Test("Types that do not exist make no token special", arguments: families)
    func types(_ model: String) {
        var vocabulary = Self.small(model)
        vocabulary.types = [0, 7, -1, .max, .min, 99, 256, 3]
        Self.use(vocabulary)
    }

    @Test("Scores that are no numbers do no harm", arguments: ["llama", "t5"])
    func scores(_ model: String) {
        for value in [Float.nan, .infinity, -.infinity, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, -0.0] {
            var vocabulary = Self.small(model)
            vocabulary.scores = [Float](repeating: value, count: 8)
            Self.use(vocabulary)
        }
    }

    @Test("Merges that name no tokens, or nothing, are passed over", arguments: ["gpt2", "gemma4"])
    func merges(_ model: String) throws {
        var vocabulary = Self.small(model)
        vocabulary.merges = PackedStrings([
            "", " ", "  ", "a", "a ", " a", "a b c", "zz yy", "a \u{FFFD}", "\u{7F} b", "a a", "aa aa", "a b", "a b",
        ])
        #expect(Self.code(vocabulary) == nil)
        Self.use(vocabulary)
        let tokenizer = try Tokenizer(vocabulary)
        // "aa" is no token: what merges to it is cut up again.
        #expect(tokenizer.encode("aa", addSpecial: false, parseSpecial: false) == [3, 3])
        #expect(tokenizer.encode("bab", addSpecial: false, parseSpecial: false) == [4, 5])
        vocabulary.merges = PackedStrings()
        Self.use(vocabulary)
    }

    @Test("A token too long to be sought at every place is refused", arguments: families)
    func lengths(_ model: String) {
        var vocabulary = Self.small(model)
        vocabulary.tokens = PackedStrings(
            ["<unk>", "<s>", "</s>", "a", "b", "ab", "\u{2581}a", String(repeating: "a", count: 50_000)])
        vocabulary.types = [2, 3, 3, 1, 1, 1, 1, 1]
        let isMerged = ["llama", "gpt2", "gemma4"].contains(model)
        #expect(Self.code(vocabulary) == (isMerged ? nil : .invalid))
        Self.use(vocabulary)
        vocabulary.types = [2, 3, 3, 1, 1, 1, 1, 3]
        #expect(Self.code(vocabulary) == .invalid)
    }

    @Test("Empty and equal token texts do no harm", arguments: families)
    func texts(_ model: String) {
        var vocabulary = Self.small(model)
        vocabulary.tokens = PackedStrings(["", "", "a", "a", "a", String(repeating: "a", count: 1024), "\\x", "\\"])
        vocabulary.types = [1, 4, 1, 3, 4, 1, 1, 1]
        Self.use(vocabulary)
        var bytes = vocabulary.tokens
        bytes.bytes[0] = 0xFF
        bytes.bytes[1] = 0xE2
        vocabulary.tokens = bytes
        Self.use(vocabulary)
        vocabulary.types = [Int32](repeating: 3, count: 8)
        Self.use(vocabulary)
    }

    @Test("A damaged table of character rules is refused, a nonsensical one does no harm")
    func characterRules() {
        var vocabulary = Self.small("t5")
        for table: [UInt8] in [
            [0], [0, 0, 0, 0], [1, 0, 0, 0, 9], [255, 255, 255, 255, 0, 0], [8, 0, 0, 0, 1, 2, 3, 4],
        ] {
            vocabulary.precompiledCharsmap = table
            #expect(Self.code(vocabulary) == .invalid, "\(table)")
        }
        vocabulary.precompiledCharsmap =
            [4, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0x61, count: 1 << 20) + [0]
        #expect(Self.code(vocabulary) == .invalid)
        for seed in UInt64(0)..<200 {
            var random = RandomText(seed: seed)
            let units = random.bytes(4 * Int(seed % 64 + 1))
            let size = UInt8(units.count & 0xFF)
            vocabulary.precompiledCharsmap = [size, UInt8(units.count >> 8), 0, 0] + units + random.bytes(20) + [0]
            Self.use(vocabulary)
        }
        // Every unit leads to itself and has a value.
        vocabulary.precompiledCharsmap = [0, 4, 0, 0] + (0..<1024).map { UInt8($0 % 4 == 1 ? 1 : 0) } + [0x62, 0]
        Self.use(vocabulary)
    }
}
