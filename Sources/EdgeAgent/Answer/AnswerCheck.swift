/// Holds an answer against what the model was given, while it is being written.
///
/// Text is let through word by word, once its numbers and citations are known to stand where they should; nothing behind one that does not.
struct AnswerCheck: Sendable {
    /// Numbers that may stand in the answer; nil for any.
    private let numbers: Set<String>?
    private let passageCount: Int
    /// Text that has come and was not let through.
    private var held: [Character] = []
    private(set) var refusal: AgentRefusal?

    /// - Parameters:
    ///   - sources: the texts that numbers may come from; nil where they are not checked.
    init(sources: [String]?, passageCount: Int) {
        numbers = sources.map { Set($0.flatMap { Numbers.all(in: $0) }.map(\.text)) }
        self.passageCount = passageCount
    }

    /// Adds text; returns what can be shown now.
    mutating func append(_ text: String) -> String {
        // Joined as text: a character may have come in two pieces.
        held = Array(String(held) + text)
        return release(isLast: false)
    }

    /// What was held back when the answer ended.
    mutating func finish() -> String { release(isLast: true) }

    private mutating func release(isLast: Bool) -> String {
        guard refusal == nil else {
            held = []
            return ""
        }
        var end = held.count
        if !isLast {
            // A word may go on, and so may a list of citations.
            end = held.lastIndex(where: \.isWhitespace).map { $0 + 1 } ?? 0
            if let open = held[..<end].lastIndex(of: "["), !held[open..<end].contains("]"), end - open < 24 {
                end = open
            }
        }
        let part = Array(held[..<end])
        guard !part.isEmpty else { return "" }
        refusal = verdict(on: part)
        held.removeFirst(end)
        return refusal == nil ? String(part) : ""
    }

    private func verdict(on part: [Character]) -> AgentRefusal? {
        let citations = Citations.all(in: part)
        let unknown = citations.flatMap(\.numbers).filter {
            !(1...max(1, passageCount)).contains($0) || passageCount == 0
        }
        if !unknown.isEmpty { return .unknownCitations(unknown) }
        guard let numbers else { return nil }
        let others = Numbers.all(in: part).filter { number in
            !citations.contains { $0.range.overlaps(number.range) } && !numbers.contains(number.text)
        }
        return others.isEmpty ? nil : .unsupportedNumbers(others.map(\.text))
    }
}

/// The citations in an answer: `[1]`, or `[1, 2]`.
enum Citations {
    struct Found {
        var numbers: [Int]
        /// In characters of the text.
        var range: Range<Int>
    }

    static func all(in characters: [Character]) -> [Found] {
        var (found, index): ([Found], Int) = ([], 0)
        while let open = characters[index...].firstIndex(of: "[") {
            index = open + 1
            guard let close = characters[index...].firstIndex(of: "]"), close - open < 24 else { continue }
            let parts = characters[index..<close].split(separator: ",", omittingEmptySubsequences: false)
            let numbers = parts.map { part -> Int? in
                let text = String(part).filter { $0 != " " }
                return text.allSatisfy { $0.isASCII && $0.isNumber } ? Int(text) : nil
            }
            guard numbers.allSatisfy({ $0 != nil }) else { continue }
            found.append(Found(numbers: numbers.compactMap(\.self), range: open..<close + 1))
            index = close + 1
        }
        return found
    }

    /// The citations of an answer that was checked.
    static func resolved(in answer: String, passages: [ScoredPassage]) -> [AgentCitation] {
        let characters = Array(answer)
        var offsets = [0]
        for character in characters { offsets.append((offsets.last ?? 0) + String(character).utf8.count) }
        return all(in: characters).flatMap { found -> [AgentCitation] in
            let sentence = sentence(around: found.range, in: characters)
            return found.numbers.compactMap { number in
                guard passages.indices.contains(number - 1) else { return nil }
                return AgentCitation(
                    number: number, passage: passages[number - 1].passage,
                    range: offsets[found.range.lowerBound]..<offsets[found.range.upperBound],
                    sentence: offsets[sentence.lowerBound]..<offsets[sentence.upperBound])
            }
        }
    }

    /// The sentence that a citation stands in, or right behind.
    private static func sentence(around citation: Range<Int>, in text: [Character]) -> Range<Int> {
        func endsSentence(_ index: Int) -> Bool {
            ".!?".contains(text[index]) && (index + 1 == text.count || text[index + 1].isWhitespace)
        }
        var before = citation.lowerBound - 1
        while before >= 0, text[before].isWhitespace { before -= 1 }
        // A citation behind the full stop is for the sentence before it.
        let isBehind = before >= 0 && endsSentence(before)
        var start = isBehind ? before : citation.lowerBound
        while start > 0, !endsSentence(start - 1) { start -= 1 }
        while start < citation.lowerBound, text[start].isWhitespace { start += 1 }
        guard !isBehind else { return start..<before + 1 }
        var end = citation.upperBound
        while end < text.count, !endsSentence(end) { end += 1 }
        return start..<min(text.count, end + 1)
    }
}
