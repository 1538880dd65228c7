internal import EdgeTemplate

/// Parts the thought of an answer from its content while the answer is being written.
///
/// White space around the thought belongs to neither. Holds back no more than what may begin a
/// mark, and white space until it is known what follows. Marks are ASCII or at least whole characters, so no cut splits one.
struct ReasoningSplitter: Sendable {
    /// A piece of the answer.
    enum Piece: Equatable {
        case content(String)
        case reasoning(String)
    }

    private enum Phase: Sendable {
        /// It is open whether the answer begins with a thought.
        case start
        /// In the thought, nothing of which has come yet.
        case thoughtBegin
        case thought
        /// After the thought; nothing of the content has come yet.
        case contentBegin
        case content
    }

    private let begin: [UInt8]
    private let end: [UInt8]
    private let promptBegins: Bool
    private var phase: Phase
    private var held: [UInt8] = []

    init(_ marks: ReasoningMarks?) {
        begin = Array((marks?.begin ?? "").utf8)
        end = Array((marks?.end ?? "").utf8)
        promptBegins = marks?.promptBegins ?? false
        phase = begin.isEmpty || end.isEmpty ? .content : .start
    }

    /// Whether what comes next belongs to the thought.
    var isInThought: Bool { phase == .thought || phase == .thoughtBegin || phase == .start && promptBegins }

    /// Adds text; returns what is certain now.
    mutating func append(_ text: String) -> [Piece] {
        if phase == .content { return text.isEmpty ? [] : [.content(text)] }
        held += Array(text.utf8)
        return advance(isLast: false)
    }

    /// What was held back when the answer ended.
    mutating func finish() -> [Piece] { phase == .content ? [] : advance(isLast: true) }

    private mutating func advance(isLast: Bool) -> [Piece] {
        var pieces: [Piece] = []
        while let next = step(isLast: isLast, &pieces) { phase = next }
        return pieces
    }

    /// One step; the next phase, or nil where more text is needed.
    private mutating func step(isLast: Bool, _ pieces: inout [Piece]) -> Phase? {
        switch phase {
        case .start:
            let start = held.firstIndex { !Self.isSpace($0) } ?? held.count
            let rest = held[start...]
            if rest.starts(with: begin) {
                held.removeFirst(start + begin.count)
                return .thoughtBegin
            }
            if !isLast, begin.starts(with: rest) { return nil }
            return promptBegins ? .thoughtBegin : emitContent(&pieces)
        case .thoughtBegin:
            held.removeFirst(held.firstIndex { !Self.isSpace($0) } ?? held.count)
            return held.isEmpty ? nil : .thought
        case .thought:
            let stop = Self.find(end, in: held)
            var shown = stop ?? (isLast ? held.count : held.count - openLength)
            while shown > 0, Self.isSpace(held[shown - 1]) { shown -= 1 }
            if shown > 0 { pieces.append(.reasoning(String(decoding: held[..<shown], as: UTF8.self))) }
            if let stop {
                held.removeFirst(stop + end.count)
                return .contentBegin
            }
            held.removeFirst(shown)
            return nil
        case .contentBegin:
            held.removeFirst(held.firstIndex { !Self.isSpace($0) } ?? held.count)
            return held.isEmpty ? nil : emitContent(&pieces)
        case .content: return nil
        }
    }

    private mutating func emitContent(_ pieces: inout [Piece]) -> Phase {
        if !held.isEmpty { pieces.append(.content(String(decoding: held, as: UTF8.self))) }
        held = []
        return .content
    }

    /// Bytes at the end of what is held that may begin the closing mark.
    private var openLength: Int {
        var length = min(end.count - 1, held.count)
        while length > 0, !end.starts(with: held.suffix(length)) { length -= 1 }
        return length
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte >= 9 && byte <= 13 }

    private static func find(_ word: [UInt8], in bytes: [UInt8]) -> Int? {
        guard bytes.count >= word.count else { return nil }
        return (0...bytes.count - word.count).first { bytes[$0...].starts(with: word) }
    }
}
