/// Cuts a document into passages: along its headings, then its paragraphs, then its sentences, then its words.
///
/// A passage is one run of the text as it stands there, of one section, with at most `maximumTokens` tokens. Where a section is
/// longer than that, each of its passages begins with the last sentences of the one before, `overlap` tokens at most. Lists of lines,
/// which are looked up and not read, give passages of a quarter of that.
package struct Splitter: Sendable, Hashable {
    /// Tokens of a passage at most.
    package var maximumTokens: Int
    /// Tokens that neighbouring passages of a section share at most.
    package var overlap: Int

    package init(maximumTokens: Int, overlap: Int) {
        self.maximumTokens = max(1, maximumTokens)
        self.overlap = max(0, min(overlap, maximumTokens / 2))
    }

    /// A passage of a document.
    package struct Piece: Sendable, Equatable {
        /// The headings that it stands under, from the highest level on.
        package var headings: [String]
        /// Bytes of the text.
        package var range: Range<Int>
        /// Tokens, as counted part by part.
        package var tokenCount: Int
    }

    /// Something that is kept whole, with the section it is of.
    private struct Unit {
        var range: Range<Int>
        var tokenCount: Int
        /// Whether it may be repeated at the beginning of the next passage.
        var isRepeatable: Bool
        /// Whether it is a line of a list.
        var isListed = false
    }

    /// The passages of a document, in order.
    ///
    /// - Parameter count: the tokens of a text. Called for about twice the text in all.
    package func split(_ document: ReadDocument, count: (String) -> Int) -> [Piece] {
        var pieces: [Piece] = []
        var path: [(level: Int, title: String)] = []
        var section: [Unit] = []
        func close() {
            pack(section, under: path.map(\.title), into: &pieces)
            section.removeAll(keepingCapacity: true)
        }
        for block in document.blocks {
            switch block.kind {
            case .heading(let level, let title):
                close()
                while let last = path.last, last.level >= level { path.removeLast() }
                path.append((level, title))
            case .paragraph:
                append(Sentences.ranges(of:in:), of: block.range, in: document, to: &section, count)
            case .lines:
                append(
                    { text, range in text.lines(in: range).map(text.trimmed).filter { !$0.isEmpty } }, of: block.range,
                    in: document, to: &section, count)
            }
        }
        close()
        return pieces
    }

    /// A block as one unit, if it is short enough; else the parts that `cut` makes of it.
    private func append(
        _ cut: ([UInt8], Range<Int>) -> [Range<Int>], of range: Range<Int>, in document: ReadDocument,
        to units: inout [Unit], _ count: (String) -> Int
    ) {
        let isList = Sentences.isList(document.text, in: range)
        // Texts of more than 16 bytes a token are none, so very long blocks need not be counted whole.
        if !isList, range.count <= maximumTokens * 16 {
            let tokens = count(document.string(range))
            if tokens <= maximumTokens {
                return units.append(.init(range: range, tokenCount: tokens, isRepeatable: tokens <= overlap))
            }
        }
        for part in cut(document.text, range) {
            let tokens = part.count <= maximumTokens * 16 ? count(document.string(part)) : Int.max
            if tokens <= maximumTokens {
                units.append(
                    .init(
                        range: part, tokenCount: tokens, isRepeatable: !isList && tokens <= overlap, isListed: isList))
            } else {
                appendWords(of: part, in: document, to: &units, count)
            }
        }
    }

    /// What has no end of a sentence, cut between words, and where there are no words between characters.
    private func appendWords(
        of range: Range<Int>, in document: ReadDocument, to units: inout [Unit], _ count: (String) -> Int
    ) {
        var start = range.lowerBound
        while start < range.upperBound {
            // The longest beginning that fits, found by halving.
            var low = start
            var high = min(range.upperBound, start + maximumTokens * 16)
            var best = (end: start, tokens: 0)
            while low < high {
                let half = (low + high + 1) / 2
                let middle = Self.border(document.text, half, range.upperBound)
                let tokens = count(document.string(start..<middle))
                if tokens <= maximumTokens {
                    low = middle
                    best = (middle, tokens)
                } else {
                    // Not from `middle`: that may lie beyond what is left.
                    high = half - 1
                }
            }
            // One character is taken whatever it counts.
            if best.end == start {
                best.end = Self.border(document.text, start + 1, range.upperBound)
                best.tokens = count(document.string(start..<best.end))
            }
            var end = best.end
            if end < range.upperBound {
                var blank = end
                while blank > start, !document.text[blank - 1].isBlank { blank -= 1 }
                if blank > start + (end - start) / 2 { end = blank }
            }
            let part = document.text.trimmed(start..<end)
            if !part.isEmpty { units.append(.init(range: part, tokenCount: best.tokens, isRepeatable: false)) }
            start = end
        }
    }

    /// The next border between characters of UTF-8.
    private static func border(_ text: [UInt8], _ offset: Int, _ end: Int) -> Int {
        var offset = min(offset, end)
        while offset < end, text[offset] & 0xC0 == 0x80 { offset += 1 }
        return offset
    }

    /// Joins units to passages.
    private func pack(_ units: [Unit], under headings: [String], into pieces: inout [Piece]) {
        var first = 0
        // Units before this one stand in the passage before.
        var fresh = 0
        while fresh < units.count {
            var end = first
            var tokens = 0
            while end < units.count,
                end == first
                    || tokens + units[end].tokenCount <= (units[end].isListed ? maximumTokens / 4 : maximumTokens)
            {
                tokens += units[end].tokenCount
                end += 1
            }
            // What is repeated must leave room for something new.
            if end <= fresh {
                first = fresh
                continue
            }
            pieces.append(
                .init(
                    headings: headings, range: units[first].range.lowerBound..<units[end - 1].range.upperBound,
                    tokenCount: tokens))
            fresh = end
            first = end
            var repeated = 0
            while first > 0, units[first - 1].isRepeatable, repeated + units[first - 1].tokenCount <= overlap {
                first -= 1
                repeated += units[first].tokenCount
            }
        }
    }
}

/// Tokens that a text may have, where there is no tokenizer to ask: a rule of thumb that errs upwards for most vocabularies.
package enum TokenEstimate {
    package static func count(_ text: String) -> Int {
        var count = 0
        var letters = 0
        for scalar in text.unicodeScalars {
            if scalar.isASCII {
                let byte = UInt8(truncatingIfNeeded: scalar.value)
                if byte.isLetter {
                    // A word is one token for each four letters begun.
                    if letters % 4 == 0 { count += 1 }
                    letters += 1
                } else {
                    letters = 0
                    if !byte.isBlank { count += 1 }
                }
            } else if scalar.value < 0x800 {
                if letters % 2 == 0 { count += 1 }
                letters += 1
            } else {
                letters = 0
                count += 1
            }
        }
        return count
    }
}
