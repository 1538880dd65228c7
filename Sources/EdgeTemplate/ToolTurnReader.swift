/// Reads the calls of a turn while they are being written, from right behind what opened them.
///
/// A call is told of as it grows: its name once the arguments begin, then the arguments, as JSON whatever the family writes. White
/// space around the fixed parts may differ from the family's. Each byte is looked at once or twice, however the text is cut.
package struct ToolTurnReader: Sendable {
    /// Something about a call.
    package enum Piece: Sendable, Equatable {
        /// A call of this name begins.
        case begin(name: String)
        /// More of its arguments, as JSON.
        case arguments(String)
        /// It is over; not whole where the text breaks off, or goes on as no call does.
        case end(isWhole: Bool)
    }

    /// How an argument between tags is written, where it is known.
    package enum ArgumentForm: Sendable, Equatable {
        /// As a text, whatever it looks like.
        case text
        /// As a JSON object or list.
        case nested
    }

    private enum Match {
        case end(Int)
        /// The text ends where more is needed.
        case open
        case mismatch
    }

    /// What comes next.
    private enum Step: Sendable {
        case opening
        case name
        case value(ValueScan)
        case member
        case key
        case text
        case nested(ValueScan)
        /// An argument of which only the whole says what it is, and how far its end has been looked for.
        case held(key: String, searched: Int)
        case between
    }

    private let syntax: ToolSyntax
    private let begins: [UInt8]
    /// The arguments of each tool of which the form is known.
    private let forms: [String: [String: ArgumentForm]]
    private var bytes: [UInt8] = []
    /// What belongs to no call yet begins here.
    private var position = 0
    /// What comes next begins here.
    private var place = 0
    private var step = Step.opening
    private var name = ""
    private var isFirst = true
    private var isBegun = false
    private var hasMembers = false
    private(set) package var isClosed = false

    /// Longer names are none.
    private static let nameLimit = 256

    /// - Parameter opened: whether the prefix has been read already.
    package init(_ syntax: ToolSyntax, forms: [String: [String: ArgumentForm]] = [:], opened: Bool = false) {
        self.syntax = syntax
        self.forms = forms
        begins = opened ? [] : Array(syntax.prefix.utf8)
    }

    /// What follows the closed calls, or has not become a call.
    package var rest: String { String(decoding: bytes[position...], as: UTF8.self) }

    /// All that was read.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Adds text; what is known of the calls now.
    package mutating func append(_ text: String) -> [Piece] {
        bytes += Array(text.utf8)
        return read(isLast: false)
    }

    /// What the end of the answer makes certain; the last call may not be whole.
    package mutating func finish() -> [Piece] { read(isLast: true) }

    private mutating func read(isLast: Bool) -> [Piece] {
        var pieces: [Piece] = []
        while !isClosed, advance(isLast, &pieces) {}
        return pieces
    }

    /// Takes a step; returns whether there may be another.
    private mutating func advance(_ isLast: Bool, _ pieces: inout [Piece]) -> Bool {
        switch step {
        case .opening:
            switch match(begins, position) {
            case .open: return false
            case .mismatch: return close()
            case .end(let end): return go(to: .name, end)
            }
        case .name: return readName(isLast, &pieces)
        case .value(var scan):
            add(scan.append(bytes[place...]), &pieces)
            step = .value(scan)
            guard scan.isWhole else { return isLast ? end(isWhole: false, &pieces) : false }
            return end(isWhole: true, &pieces)
        case .between: return readBetween(isLast)
        case .member, .key, .text, .nested, .held:
            guard case .tagged(let before, let middle, let after) = syntax.arguments else { return close() }
            return readMember(before, middle, Array(after.utf8), isLast, &pieces)
        }
    }

    private mutating func go(to next: Step, _ place: Int) -> Bool {
        step = next
        self.place = place
        if isBegun { position = place }
        return true
    }

    private mutating func close() -> Bool {
        isClosed = true
        return false
    }

    private mutating func begin(_ pieces: inout [Piece]) {
        guard !isBegun else { return }
        pieces.append(.begin(name: name))
        (isBegun, isFirst, hasMembers) = (true, false, false)
        position = place
    }

    /// Hands on so many bytes as they are.
    private mutating func add(_ count: Int, _ pieces: inout [Piece]) {
        guard count > 0 else { return }
        pieces.append(.arguments(String(decoding: bytes[place..<place + count], as: UTF8.self)))
        _ = go(to: step, place + count)
    }

    private mutating func end(isWhole: Bool, _ pieces: inout [Piece]) -> Bool {
        pieces.append(.end(isWhole: isWhole))
        position = place
        isBegun = false
        step = .between
        return isWhole || close()
    }

    /// The name, and what stands before the arguments.
    private mutating func readName(_ isLast: Bool, _ pieces: inout [Piece]) -> Bool {
        var start = place
        skipSpace(&start)
        var end = start
        let stops: Set<UInt8>
        switch syntax.arguments {
        case .json: stops = Self.first(syntax.middle + "{")
        case .tagged(let before, _, _): stops = Self.first(syntax.middle + before)
        }
        while end < bytes.count, !stops.contains(bytes[end]), !Self.isSpace(bytes[end]), end - start <= Self.nameLimit {
            end += 1
        }
        guard end > start, end - start <= Self.nameLimit else { return end < bytes.count ? close() : false }
        guard end < bytes.count || isLast else { return false }
        name = String(decoding: bytes[start..<end], as: UTF8.self)
        let middle = match(Array(syntax.middle.utf8), end)
        // What goes on otherwise is no call.
        if case .mismatch = middle, isFirst { return close() }
        var arguments = end
        if case .end(let after) = middle {
            arguments = after
            guard case .json = syntax.arguments else { return go(to: .member, after) }
            skipSpace(&arguments)
            if arguments < bytes.count {
                place = arguments
                begin(&pieces)
                step = .value(ValueScan())
                return true
            }
        }
        guard isLast else { return false }
        place = arguments
        begin(&pieces)
        add(bytes.count - arguments, &pieces)
        return self.end(isWhole: false, &pieces)
    }

    private mutating func readBetween(_ isLast: Bool) -> Bool {
        let suffix = match(Array(syntax.suffix.utf8), position)
        let join = syntax.join.map { match(Array($0.utf8), position) } ?? .mismatch
        // What stands between two calls may begin with all of what stands at the end.
        if case .end(let end) = join { return go(to: .name, end) }
        if case .open = join, !isLast { return false }
        if case .end(let end) = suffix { position = end }
        if case .open = suffix { return false }
        return close()
    }

    /// A step within arguments that stand each between tags.
    private mutating func readMember(
        _ before: String, _ middle: String, _ after: [UInt8], _ isLast: Bool, _ pieces: inout [Piece]
    ) -> Bool {
        func broken(_ reader: inout Self, _ pieces: inout [Piece]) -> Bool {
            isLast ? reader.end(isWhole: false, &pieces) : false
        }
        switch step {
        case .member:
            let found = match(Array(before.utf8), place)
            if case .open = found, !isLast { return false }
            begin(&pieces)
            if case .end(let end) = found { return go(to: .key, end) }
            pieces.append(.arguments(hasMembers ? "}" : "{}"))
            return end(isWhole: true, &pieces)
        case .key:
            let stops = Self.first(middle)
            var keyEnd = place
            while keyEnd < bytes.count, !stops.contains(bytes[keyEnd]) { keyEnd += 1 }
            guard case .end(var start) = match(Array(middle.utf8), keyEnd) else { return broken(&self, &pieces) }
            if middle.hasSuffix("\n") {
                guard start < bytes.count || isLast else { return false }
                if start < bytes.count, bytes[start] == 10 { start += 1 }
            }
            let key = String(decoding: bytes[place..<keyEnd], as: UTF8.self)
            switch forms[name]?[key] {
            case .text:
                pieces.append(.arguments(opening(of: key) + "\""))
                return go(to: .text, start)
            case .nested:
                pieces.append(.arguments(opening(of: key)))
                return go(to: .nested(ValueScan()), start)
            case nil: return go(to: .held(key: key, searched: start), start)
            }
        case .text:
            if let end = Self.find(after, in: bytes[...], from: place) {
                let text = String(decoding: bytes[place..<end], as: UTF8.self)
                pieces.append(.arguments(TemplateValue.escaped(text) + "\""))
                return go(to: .member, end + after.count)
            }
            // What may begin the end is held back.
            var open = isLast ? 0 : min(after.count - 1, bytes.count - place)
            while open > 0, !after.starts(with: bytes.suffix(open)) { open -= 1 }
            let end = bytes.count - open
            if end > place {
                let text = String(decoding: bytes[place..<end], as: UTF8.self)
                pieces.append(.arguments(TemplateValue.escaped(text)))
                _ = go(to: .text, end)
            }
            return broken(&self, &pieces)
        case .nested(var scan):
            add(scan.append(bytes[place...]), &pieces)
            step = .nested(scan)
            guard scan.isWhole else { return broken(&self, &pieces) }
            switch match(after, place) {
            case .end(let end): return go(to: .member, end)
            case .open: return broken(&self, &pieces)
            case .mismatch: return end(isWhole: false, &pieces)
            }
        case .held(let key, let searched):
            guard let end = Self.find(after, in: bytes[...], from: searched) else {
                step = .held(key: key, searched: max(place, bytes.count - after.count + 1))
                return broken(&self, &pieces)
            }
            let text = String(decoding: bytes[place..<end], as: UTF8.self)
            let value = (try? TemplateValue(json: text)) ?? .string(text)
            pieces.append(.arguments(opening(of: key) + value.json))
            return go(to: .member, end + after.count)
        default: return false
        }
    }

    /// What stands before the value of an argument.
    private mutating func opening(of key: String) -> String {
        defer { hasMembers = true }
        return (hasMembers ? ",\"" : "{\"") + TemplateValue.escaped(key) + "\":"
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte >= 9 && byte <= 13 }

    private static func find(_ word: [UInt8], in bytes: ArraySlice<UInt8>, from start: Int) -> Int? {
        guard let first = word.first else { return nil }
        var index = start
        while index + word.count <= bytes.endIndex {
            if bytes[index] == first, bytes[index...].starts(with: word) { return index }
            index += 1
        }
        return nil
    }

    private func skipSpace(_ place: inout Int) { while place < bytes.count, Self.isSpace(bytes[place]) { place += 1 } }

    /// The first byte of a text that is not white space.
    private static func first(_ text: String) -> Set<UInt8> {
        Set(text.utf8.first { !Self.isSpace($0) }.map { [$0] } ?? [])
    }

    /// Whether a text stands at a place, white space aside.
    private func match(_ wanted: [UInt8], _ start: Int) -> Match {
        ToolTurnReader.match(wanted, in: bytes, start).match
    }

    private static func match(_ wanted: [UInt8], in bytes: [UInt8], _ start: Int) -> (match: Match, count: Int) {
        var place = start
        var index = 0
        let identifier = Array(String(ToolSyntax.identifier).utf8)
        let number = Array(String(ToolSyntax.number).utf8)
        func skip(_ allowed: (UInt8) -> Bool) { while place < bytes.count, allowed(bytes[place]) { place += 1 } }
        while index < wanted.count {
            if Self.isSpace(wanted[index]) {
                index += 1
                continue
            }
            skip(Self.isSpace)
            if wanted[index...].starts(with: identifier) {
                skip { $0 >= 48 && $0 <= 57 || $0 | 32 >= 97 && $0 | 32 <= 122 || $0 == 45 || $0 == 95 }
                index += identifier.count
            } else if wanted[index...].starts(with: number) {
                skip { $0 >= 48 && $0 <= 57 }
                index += number.count
            } else if place == bytes.count {
                return (.open, place)
            } else if bytes[place] != wanted[index] {
                return (.mismatch, place)
            } else {
                place += 1
                index += 1
            }
        }
        return (.end(place), place)
    }

    /// Whether a text begins with the syntax's prefix: where it ends if so, nil if not, and -1 while it is too short to say.
    package static func opening(_ syntax: ToolSyntax, in bytes: [UInt8]) -> Int? {
        switch match(Array(syntax.prefix.utf8), in: bytes, 0).match {
        case .end(let end): end
        case .open: -1
        case .mismatch: nil
        }
    }
}
