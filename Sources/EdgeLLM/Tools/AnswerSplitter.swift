internal import EdgeTemplate

/// Parts an answer into thought, content and calls of tools while it is being written.
///
/// Holds back no more than what may begin a mark. What follows a mark is a call as long as it reads like one; the rest of it is
/// content again.
struct AnswerSplitter: Sendable {
    /// A piece of the answer.
    enum Piece: Equatable {
        case content(String)
        case reasoning(String)
        case call(ToolTurnReader.Piece)
    }

    private let form: AnswerForm
    private var thought: ReasoningSplitter
    private var reader: ToolTurnReader?
    /// What opened the calls that are being read, which is content if no call follows.
    private var opening = ""
    private var hasCalls = false
    private var hasWholeCalls = false
    /// Whether what opened them reached up to the first name.
    private(set) var isPrefixRead = false
    /// Content that may begin a mark.
    private var held: [UInt8] = []
    /// Whether it is open if the answer as a whole is a call.
    private var isAtStart: Bool

    init(_ form: AnswerForm) {
        self.form = form
        thought = ReasoningSplitter(form.reasoning)
        isAtStart = form.calls?.mark.isEmpty == true
        if form.isOpened, let calls = form.calls {
            reader = ToolTurnReader(calls, forms: form.argumentForms)
        }
    }

    /// Text behind the opening of a call, where one is open and none is whole yet.
    var openedText: String? { hasWholeCalls ? nil : reader?.text }

    /// Adds text; returns what is certain now.
    mutating func append(_ text: String) -> [Piece] {
        if reader != nil { return take(text, isLast: false) }
        return take(thought.append(text))
    }

    /// Adds a token that stands for more than its text.
    mutating func append(mark token: Int32) -> [Piece] {
        guard let spelling = form.marks[token] else { return [] }
        guard reader == nil, !thought.isInThought, let calls = form.calls,
            calls.mark == spelling || calls.otherMarks.contains(spelling)
        else { return append(spelling) }
        let before = take(thought.finish()) + flush()
        open(spelling, calls, isPrefixRead: false)
        return before
    }

    /// What was held back when the answer ended.
    mutating func finish() -> [Piece] {
        let pieces = take(thought.finish())
        return pieces + (reader == nil ? [] : take("", isLast: true)) + flush()
    }

    private mutating func take(_ pieces: [ReasoningSplitter.Piece]) -> [Piece] {
        pieces.flatMap { piece -> [Piece] in
            switch piece {
            case .reasoning(let text): [.reasoning(text)]
            case .content(let text): form.calls == nil ? [.content(text)] : take(text, isLast: false)
            }
        }
    }

    /// Reads calls and content by turns, as far as the text goes.
    private mutating func take(_ text: String, isLast: Bool) -> [Piece] {
        var pieces: [Piece] = []
        var input = text
        while true {
            // Taken out, as a second owner would have its bytes copied.
            guard var calls = reader.take() else {
                guard let rest = scan(input, &pieces) else { return pieces }
                input = rest
                continue
            }
            var found = calls.append(input)
            if isLast { found += calls.finish() }
            hasCalls = hasCalls || !found.isEmpty
            hasWholeCalls = hasWholeCalls || found.contains(.end(isWhole: true))
            pieces += found.map { .call($0) }
            guard calls.isClosed || isLast else {
                reader = calls
                return pieces
            }
            // What was no call is content; so is what follows the calls, unless it is blank.
            input = calls.rest
            if !hasCalls { pieces.append(.content(opening)) }
            if hasCalls, input.utf8.allSatisfy({ ReasoningSplitter.isSpace($0) }) { return pieces }
        }
    }

    /// Looks for an opening in content; what follows it, or nil where there is none.
    private mutating func scan(_ text: String, _ pieces: inout [Piece]) -> String? {
        held += Array(text.utf8)
        guard let calls = form.calls else { return nil }
        if isAtStart {
            switch ToolTurnReader.opening(calls, in: held) {
            case -1: return nil
            case let end?:
                let (spelling, rest) = (held[..<end], held[end...])
                held = []
                open(String(decoding: spelling, as: UTF8.self), calls, isPrefixRead: true)
                return String(decoding: rest, as: UTF8.self)
            case nil: isAtStart = false
            }
        }
        var first: (range: Range<Int>, mark: String)?
        for mark in form.openings {
            if let range = held.firstRange(of: Array(mark.utf8)), range.lowerBound < first?.range.lowerBound ?? .max {
                first = (range, mark)
            }
        }
        if let (range, mark) = first {
            let shown = held[..<range.lowerBound].lastIndex { !ReasoningSplitter.isSpace($0) }.map { $0 + 1 } ?? 0
            if shown > 0 { pieces.append(.content(String(decoding: held[..<shown], as: UTF8.self))) }
            let space = String(decoding: held[shown..<range.lowerBound], as: UTF8.self)
            let rest = String(decoding: held[range.upperBound...], as: UTF8.self)
            held = []
            open(space + mark, calls, isPrefixRead: false)
            return rest
        }
        // What may begin a mark, and the white space before it, is held back.
        var length = 0
        for mark in form.openings.map({ Array($0.utf8) }) {
            var open = min(mark.count - 1, held.count)
            while open > length, !mark.starts(with: held.suffix(open)) { open -= 1 }
            length = max(length, open)
        }
        while length < held.count, ReasoningSplitter.isSpace(held[held.count - 1 - length]) { length += 1 }
        if length < held.count {
            pieces.append(.content(String(decoding: held.dropLast(length), as: UTF8.self)))
            held.removeFirst(held.count - length)
        }
        return nil
    }

    private mutating func open(_ spelling: String, _ calls: ToolSyntax, isPrefixRead: Bool) {
        opening = spelling
        (hasCalls, hasWholeCalls) = (false, false)
        isAtStart = false
        self.isPrefixRead = isPrefixRead
        reader = ToolTurnReader(calls, forms: form.argumentForms, opened: isPrefixRead)
    }

    private mutating func flush() -> [Piece] {
        defer { held = [] }
        return held.isEmpty ? [] : [.content(String(decoding: held, as: UTF8.self))]
    }
}
