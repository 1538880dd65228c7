/// A stretch of text with its origin.
package struct TextSegment: Sendable {
    package var text: String
    /// Whether special tokens written in it are meant: true for a chat template, false for what a user typed.
    package var isTrusted: Bool
    /// A number for the origin: the higher, the less it is to be trusted. Changes no token.
    package var origin: UInt8

    package init(_ text: String, isTrusted: Bool, origin: UInt8 = 0) {
        self.text = text
        self.isTrusted = isTrusted
        self.origin = origin
    }
}

extension Tokenizer {
    /// Token ids of a text.
    ///
    /// - Parameters:
    ///   - addSpecial: adds what the model puts around a text: BOS, EOS, CLS, SEP.
    ///   - parseSpecial: reads control tokens written in the text. Leave it false for text from a user.
    package func encode(_ text: String, addSpecial: Bool, parseSpecial: Bool) -> [Int32] {
        encode(bytes: Array(text.utf8), addSpecial: addSpecial, parseSpecial: parseSpecial)
    }

    /// As above, for bytes that need not be UTF-8.
    package func encode(bytes: [UInt8], addSpecial: Bool, parseSpecial: Bool) -> [Int32] {
        encode(bytes, trusted: parseSpecial && !bytes.isEmpty ? [0..<bytes.count] : [], addSpecial: addSpecial)
    }

    /// Encodes segments as one text, in which only trusted stretches may hold control tokens.
    ///
    /// No token, special or merged, reaches over the border between trusted and other text, so that what a user wrote cannot
    /// change the tokens of a template around it. One space that a template writes before input belongs to the input: models
    /// know a word by the space before it.
    /// - Parameter marks: user-defined tokens that input cannot spell either; see `marks(in:)`.
    package func encode(segments: [TextSegment], addSpecial: Bool, marks: Set<Int32> = []) -> [Int32] {
        var text: [UInt8] = []
        var trusted: [Range<Int>] = []
        var borders: [Int] = []
        var wasTrusted: Bool?
        for segment in segments where !segment.text.isEmpty {
            let start = text.count
            if let wasTrusted, wasTrusted != segment.isTrusted {
                borders.append(wasTrusted && text.last == 0x20 ? start - 1 : start)
            }
            wasTrusted = segment.isTrusted
            text.append(contentsOf: segment.text.utf8)
            guard segment.isTrusted else { continue }
            if let last = trusted.last, last.upperBound == start {
                trusted[trusted.count - 1] = last.lowerBound..<text.count
            } else {
                trusted.append(start..<text.count)
            }
        }
        return encode(text, trusted: trusted, addSpecial: addSpecial, borders: borders, marks: marks)
    }

    /// User-defined tokens that a chat template writes, such as `<tool_call>` or, in some files, `<|user|>`: files may give marks
    /// of a conversation this kind, which any text can spell.
    package func marks(in template: String) -> Set<Int32> {
        let bytes = Array(template.utf8)
        var marks: Set<Int32> = []
        for fragment in partition.split(bytes, trusted: [0..<bytes.count]) {
            guard case .token(let id) = fragment, kinds[Int(id)].contains(.userDefined),
                tokens[Int(id)].contains(where: { $0 > 0x20 })
            else { continue }
            marks.insert(id)
        }
        return marks
    }

    private func encode(
        _ text: [UInt8], trusted: [Range<Int>], addSpecial: Bool, borders: [Int] = [], marks: Set<Int32> = []
    ) -> [Int32] {
        var output: [Int32] = []
        output.reserveCapacity(text.count / 4 + 8)
        let fragments = partition.split(text, trusted: trusted, borders: borders, marks: marks)
        if addSpecial && addsBos, let bosId { output.append(bosId) }
        switch model {
        case .bytePair(let model): encode(model, text, fragments, &output)
        case .sentencePiece(let model): encode(model, text, fragments, &output)
        case .wordPiece(let model):
            each(fragments, &output) { model.encode(text, $0, &$1) }
            // BERT closes with its separator, whatever it names as EOS.
            if addSpecial, let sepId { output.append(sepId) }
            return output
        case .unigram(let model): each(fragments, &output) { model.encode(text, $0, &$1) }
        case .rwkv(let model):
            each(fragments, &output) { model.encode(text, $0, &$1) }
        }
        if addSpecial && addsEos, let eosId { output.append(eosId) }
        return output
    }

    private func each(
        _ fragments: [SpecialPartition.Fragment], _ output: inout [Int32],
        _ encode: (Range<Int>, inout [Int32]) -> Void
    ) {
        for fragment in fragments {
            switch fragment {
            case .token(let id): output.append(id)
            case .text(let range): encode(range, &output)
            }
        }
    }

    private func encode(
        _ model: BytePairModel, _ text: [UInt8], _ fragments: [SpecialPartition.Fragment], _ output: inout [Int32]
    ) {
        var scratch = BytePairModel.Scratch(textLength: text.count)
        for fragment in fragments {
            switch fragment {
            case .token(let id): output.append(id)
            case .text(let range):
                if model.pre.dropsSpaces {
                    Self.encodeWords(model, text, range, &output)
                    continue
                }
                if model.pre.escapesSpaces {
                    let escaped = CodePoints.repaired(Self.escape(text, range, prefix: false))
                    var own = BytePairModel.Scratch(textLength: escaped.count)
                    model.encode(escaped, 0..<escaped.count, &own, &output)
                    continue
                }
                let part = Array(text[range])
                let repaired = CodePoints.repaired(part)
                if repaired.count == part.count && repaired == part {
                    model.encode(text, range, &scratch, &output)
                } else {
                    var own = BytePairModel.Scratch(textLength: repaired.count)
                    model.encode(repaired, 0..<repaired.count, &own, &output)
                }
            }
        }
    }

    /// Encodes what stands between white space, each stretch by itself.
    private static func encodeWords(
        _ model: BytePairModel, _ text: [UInt8], _ range: Range<Int>, _ output: inout [Int32]
    ) {
        let table = CharacterTable.stages
        var words: [UInt8] = []
        words.reserveCapacity(range.count)
        var ends: [Int] = []
        var position = range.lowerBound
        while position < range.upperBound {
            let read = CodePoints.read(text, position, range.upperBound)
            position += read.length
            if CharacterTable.kind(of: read.scalar, table).contains(.space) {
                ends.append(words.count)
            } else {
                let scalar = read.scalar > 0x10FFFF ? 0xFFFD : read.scalar
                CodePoints.append(model.pre.lowercases ? CharacterTable.lowercased(scalar) : scalar, to: &words)
            }
        }
        ends.append(words.count)
        var scratch = BytePairModel.Scratch(textLength: words.count)
        var start = 0
        for end in ends {
            if end > start { model.encode(words, start..<end, &scratch, &output) }
            start = end
        }
    }

    private func encode(
        _ model: SentencePieceModel, _ text: [UInt8], _ fragments: [SpecialPartition.Fragment],
        _ output: inout [Int32]
    ) {
        var afterSpecial = true
        for fragment in fragments {
            switch fragment {
            case .token(let id):
                output.append(id)
                afterSpecial = true
            case .text(let range):
                let escaped = Self.escape(text, range, prefix: addsSpacePrefix && afterSpecial)
                var scratch = SentencePieceModel.Scratch(textLength: escaped.count)
                model.encode(escaped, &scratch, &output)
                afterSpecial = false
            }
        }
    }

    /// Writes U+2581 for each space.
    static func escape(_ text: [UInt8], _ range: Range<Int>, prefix: Bool) -> [UInt8] {
        var escaped: [UInt8] = []
        escaped.reserveCapacity(range.count + range.count / 2 + 3)
        if prefix { escaped.append(contentsOf: [0xE2, 0x96, 0x81]) }
        for index in range {
            let byte = text[index]
            if byte == 0x20 { escaped.append(contentsOf: [0xE2, 0x96, 0x81]) } else { escaped.append(byte) }
        }
        return escaped
    }
}
