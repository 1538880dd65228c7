internal import EdgeDocuments

/// A place in a document that an answer rests on.
public struct Citation: Sendable, Hashable, Codable {
    /// The passage.
    public let passage: Passage
    /// Words of the passage, exactly as they stand in it.
    public let quote: String
    /// Where the quote stands in the passage's text, in bytes of UTF-8.
    public let range: Range<Int>

    /// Where the quote stands in the document, in bytes; see `Passage.location`.
    public var location: Range<Int> { passage.location(of: range) }
}

/// What can be quoted of some passages: their sentences.
struct Quotable: Sendable {
    private let passages: [Passage]
    /// Each sentence once, where it stands first.
    private let places: [String: (passage: Int, range: Range<Int>)]
    /// The sentences in order.
    let sentences: [String]

    init(_ passages: [Passage]) {
        self.passages = passages
        var places: [String: (passage: Int, range: Range<Int>)] = [:]
        var sentences: [String] = []
        for (index, passage) in passages.enumerated() {
            let bytes = Array(passage.text.utf8)
            for range in Sentences.ranges(of: bytes, in: 0..<bytes.count) {
                let sentence = String(decoding: bytes[range], as: UTF8.self)
                // Marks alone say nothing.
                guard places[sentence] == nil, sentence.contains(where: { $0.isLetter || $0.isNumber }) else {
                    continue
                }
                places[sentence] = (index, range)
                sentences.append(sentence)
            }
        }
        self.places = places
        self.sentences = sentences
    }

    /// The citation of a quote; nil where no passage has these words, exactly.
    func citation(_ quote: String) -> Citation? {
        guard quote.contains(where: { $0.isLetter || $0.isNumber }) else { return nil }
        if let place = places[quote] {
            return Citation(passage: passages[place.passage], quote: quote, range: place.range)
        }
        // A model that nothing enforces may quote part of a sentence, or more than one.
        let wanted = Array(quote.utf8)
        for passage in passages {
            let bytes = Array(passage.text.utf8)
            guard let start = bytes.firstRange(of: wanted)?.lowerBound else { continue }
            return Citation(passage: passage, quote: quote, range: start..<start + wanted.count)
        }
        return nil
    }
}
