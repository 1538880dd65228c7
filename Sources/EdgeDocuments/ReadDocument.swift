/// The text of a document and how it is built: what a reader makes of a file, and a splitter cuts into passages.
package struct ReadDocument: Sendable, Equatable {
    /// A run of the text that belongs together.
    package struct Block: Sendable, Equatable {
        package enum Kind: Sendable, Equatable {
            /// A heading, 1 for the highest level.
            case heading(level: Int, title: String)
            case paragraph
            /// Lines whose breaks mean something: code, a table.
            case lines
        }

        package var kind: Kind
        /// Bytes of the text, without the white space around it.
        package var range: Range<Int>

        package init(_ kind: Kind, _ range: Range<Int>) {
            self.kind = kind
            self.range = range
        }
    }

    /// UTF-8, always well-formed.
    package var text: [UInt8]
    /// In order, without overlap.
    package var blocks: [Block]
    /// Where each page begins in the text, ascending from 0; empty where there are no pages.
    package var pageStarts: [Int]
    /// Where the text lies in the source; empty where the text is the source.
    package var origins: [Origin]

    /// From `text` on the text is what stands in the source from `source` on.
    package struct Origin: Sendable, Equatable {
        package var text: Int
        package var source: Int
        /// Bytes of the source that the text at `text` was made of, where those are not as many as in the text.
        package var sourceCount: Int
    }

    package init(text: [UInt8], blocks: [Block], pageStarts: [Int] = [], origins: [Origin] = []) {
        self.text = text
        self.blocks = blocks
        self.pageStarts = pageStarts
        self.origins = origins
    }

    /// The bytes of the source that a range of the text was made from.
    package func sourceRange(of range: Range<Int>) -> Range<Int> {
        guard !origins.isEmpty else { return range }
        let lower = source(of: range.lowerBound).lowerBound
        guard !range.isEmpty else { return lower..<lower }
        return lower..<max(lower, source(of: range.upperBound - 1).upperBound)
    }

    /// The bytes of the source that one byte of the text was made from.
    private func source(of offset: Int) -> Range<Int> {
        var low = 0
        var high = origins.count
        while low < high {
            let middle = (low + high) / 2
            if origins[middle].text <= offset { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return 0..<0 }
        let origin = origins[low - 1]
        if origin.sourceCount > 0 { return origin.source..<origin.source + origin.sourceCount }
        let start = origin.source + (offset - origin.text)
        return start..<start + 1
    }

    /// The page of a byte of the text, from 1; nil where there are no pages.
    package func page(at offset: Int) -> Int? {
        guard !pageStarts.isEmpty else { return nil }
        var low = 0
        var high = pageStarts.count
        while low < high {
            let middle = (low + high) / 2
            if pageStarts[middle] <= offset { low = middle + 1 } else { high = middle }
        }
        return max(1, low)
    }

    /// A part of the text.
    package func string(_ range: Range<Int>) -> String { String(decoding: text[range], as: UTF8.self) }
}

extension UInt8 {
    /// A space, a tab, or the end of a line.
    @inline(__always) var isBlank: Bool { self == 0x20 || (0x09...0x0D).contains(self) }
    @inline(__always) var isNewline: Bool { self == 0x0A || self == 0x0D }
    @inline(__always) var isDigit: Bool { (0x30...0x39).contains(self) }
    @inline(__always) var isLetter: Bool { (0x41...0x5A).contains(self & 0xDF) }
}

extension [UInt8] {
    /// A range without the white space at its ends.
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var lower = range.lowerBound
        var upper = range.upperBound
        while lower < upper, self[lower].isBlank { lower += 1 }
        while upper > lower, self[upper - 1].isBlank { upper -= 1 }
        return lower..<upper
    }

    /// The lines of a range, without their ends; also empty ones.
    func lines(in range: Range<Int>) -> [Range<Int>] {
        var lines: [Range<Int>] = []
        var start = range.lowerBound
        var i = start
        while i < range.upperBound {
            if self[i].isNewline {
                lines.append(start..<i)
                if self[i] == 0x0D, i + 1 < range.upperBound, self[i + 1] == 0x0A { i += 1 }
                start = i + 1
            }
            i += 1
        }
        if start < range.upperBound { lines.append(start..<range.upperBound) }
        return lines
    }

    func isBlank(_ range: Range<Int>) -> Bool { self[range].allSatisfy(\.isBlank) }
}
