/// Strings laid end to end: string i is `bytes[ends[i - 1]..<ends[i]]`, with 0 before the first.
package struct PackedStrings: Sendable {
    package var bytes: [UInt8]
    package var ends: [Int]

    package init(bytes: [UInt8] = [], ends: [Int] = []) {
        self.bytes = bytes
        self.ends = ends
    }

    /// Packs Swift strings; for tests and small lists.
    package init(_ strings: [String]) {
        self.init()
        for string in strings { append(string.utf8) }
    }

    package var count: Int { ends.count }

    package mutating func append(_ string: some Sequence<UInt8>) {
        bytes.append(contentsOf: string)
        ends.append(bytes.count)
    }

    @inline(__always)
    package func range(_ index: Int) -> Range<Int> {
        (index == 0 ? 0 : ends[index - 1])..<ends[index]
    }

    package subscript(index: Int) -> ArraySlice<UInt8> { bytes[range(index)] }

    /// Whether the ends rise from 0 to the byte count, so that `range` is sound for every index.
    var isSound: Bool {
        var previous = 0
        for end in ends {
            if end < previous { return false }
            previous = end
        }
        return previous == bytes.count || (ends.isEmpty && bytes.isEmpty)
    }
}

/// The fields of `tokenizer.ggml.*`, plain; nil means that the file does not say.
package struct Vocabulary: Sendable {
    /// Family: `llama`, `gpt2`, `gemma4`, `whitespace`, `bert`, `t5`, `rwkv`.
    package var model: String
    /// Pre-tokenizer of the byte-pair families.
    package var pre: String?
    package var tokens: PackedStrings
    package var scores: [Float]?
    /// 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
    package var types: [Int32]?
    /// Byte-pair merges in order of rank, `left right`.
    package var merges: PackedStrings?

    package var bosId: Int?
    package var eosId: Int?
    package var eotId: Int?
    package var eomId: Int?
    package var unkId: Int?
    package var sepId: Int?
    package var padId: Int?
    package var maskId: Int?
    package var fimPreId: Int?
    package var fimSufId: Int?
    package var fimMidId: Int?
    package var fimPadId: Int?
    package var fimRepId: Int?
    package var fimSepId: Int?

    package var addBos: Bool?
    package var addEos: Bool?
    package var addSep: Bool?
    package var addSpacePrefix: Bool?
    package var removeExtraWhitespaces: Bool?
    package var lowercase: Bool?
    package var stripAccents: Bool?
    /// SentencePiece's compiled normalisation rules.
    package var precompiledCharsmap: [UInt8]?

    /// `general.name` and `general.architecture`: a few models strip space around their special tokens, and only
    /// these names tell which.
    package var modelName: String?
    package var architecture: String?

    package init(model: String, pre: String? = nil, tokens: PackedStrings) {
        self.model = model
        self.pre = pre
        self.tokens = tokens
    }
}
