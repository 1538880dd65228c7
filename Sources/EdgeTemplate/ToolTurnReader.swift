/// Reads the calls of a turn while they are being written, from right behind what opened them.
///
/// White space around the fixed parts may differ from the family's.
package struct ToolTurnReader: Sendable {
    /// A call as it was written.
    package struct Call: Sendable, Equatable {
        package var name: String
        /// JSON where the call is whole, else what there is.
        package var arguments: String
        package var isWhole: Bool

        package init(name: String, arguments: String, isWhole: Bool) {
            self.name = name
            self.arguments = arguments
            self.isWhole = isWhole
        }
    }

    private enum Match {
        case end(Int)
        /// The text ends where more is needed.
        case open
        case mismatch
    }

    private let syntax: ToolSyntax
    private let begins: [UInt8]
    /// Arguments of each tool that are texts whatever they look like; of a tool that is not here, none is known to be.
    private let textArguments: [String: Set<String>]
    private var bytes: [UInt8] = []
    private var position = 0
    private var isFirst = true
    private(set) package var isClosed = false

    /// - Parameter opened: whether the prefix has been read already.
    package init(_ syntax: ToolSyntax, textArguments: [String: Set<String>] = [:], opened: Bool = false) {
        self.syntax = syntax
        self.textArguments = textArguments
        begins = opened ? [] : Array(syntax.prefix.utf8)
    }

    /// What follows the closed calls, or has not become a call.
    package var rest: String { String(decoding: bytes[position...], as: UTF8.self) }

    /// Adds text; the calls that are whole now.
    package mutating func append(_ text: String) -> [Call] {
        bytes += Array(text.utf8)
        return read(isLast: false)
    }

    /// What the end of the answer makes certain; the last call may not be whole.
    package mutating func finish() -> [Call] { read(isLast: true) }

    private mutating func read(isLast: Bool) -> [Call] {
        var calls: [Call] = []
        while !isClosed {
            if !isFirst {
                let suffix = match(Array(syntax.suffix.utf8), position)
                let join = syntax.join.map { match(Array($0.utf8), position) } ?? .mismatch
                // What stands between two calls may begin with all of what stands at the end.
                if case .end(let end) = join {
                    guard let call = call(from: end, isLast: isLast) else { break }
                    calls.append(call)
                    continue
                }
                if case .open = join, !isLast { break }
                if case .end(let end) = suffix {
                    position = end
                    isClosed = true
                } else if case .mismatch = suffix {
                    isClosed = true
                }
                break
            }
            let start = match(begins, position)
            if case .mismatch = start { isClosed = true }
            guard case .end(let end) = start, let call = call(from: end, isLast: isLast) else { break }
            isFirst = false
            calls.append(call)
            if !call.isWhole { isClosed = true }
        }
        return calls
    }

    /// A call whose name begins at a place; nil where there is no whole one yet. Moves on behind its arguments.
    private mutating func call(from start: Int, isLast: Bool) -> Call? {
        var place = start
        skipSpace(&place)
        let nameStart = place
        let ends: Set<UInt8>
        switch syntax.arguments {
        case .json: ends = ToolTurnReader.first(syntax.middle + "{")
        case .tagged(let before, _, _): ends = ToolTurnReader.first(syntax.middle + before)
        }
        while place < bytes.count, !ends.contains(bytes[place]), !Self.isSpace(bytes[place]) { place += 1 }
        guard place < bytes.count || isLast, place > nameStart else { return nil }
        let name = String(decoding: bytes[nameStart..<place], as: UTF8.self)
        func broken() -> Call? {
            guard isLast else { return nil }
            defer { position = bytes.count }
            return Call(name: name, arguments: String(decoding: bytes[place...], as: UTF8.self), isWhole: false)
        }
        let middle = match(Array(syntax.middle.utf8), place)
        guard case .end(let afterMiddle) = middle else {
            // What goes on otherwise is no call.
            if case .mismatch = middle, isFirst {
                isClosed = true
                return nil
            }
            return broken()
        }
        place = afterMiddle
        switch syntax.arguments {
        case .json:
            skipSpace(&place)
            guard let (_, end) = TemplateValue.prefix(of: bytes[place...]) else { return broken() }
            position = end
            return Call(name: name, arguments: String(decoding: bytes[place..<end], as: UTF8.self), isWhole: true)
        case .tagged(let before, let middle, let after):
            var members = TemplateValue.Members()
            while true {
                switch match(Array(before.utf8), place) {
                case .open where !isLast: return nil
                case .open, .mismatch:
                    position = place
                    return Call(name: name, arguments: TemplateValue.dict(members).json, isWhole: true)
                case .end(let keyStart):
                    let stops = ToolTurnReader.first(middle)
                    var keyEnd = keyStart
                    while keyEnd < bytes.count, !stops.contains(bytes[keyEnd]) { keyEnd += 1 }
                    guard case .end(var valueStart) = match(Array(middle.utf8), keyEnd) else { return broken() }
                    if middle.hasSuffix("\n"), valueStart < bytes.count, bytes[valueStart] == 10 { valueStart += 1 }
                    guard let end = Self.find(Array(after.utf8), in: bytes[...], from: valueStart) else {
                        return broken()
                    }
                    let key = String(decoding: bytes[keyStart..<keyEnd], as: UTF8.self)
                    let value = String(decoding: bytes[valueStart..<end], as: UTF8.self)
                    if textArguments[name]?.contains(key) != true, let json = try? TemplateValue(json: value) {
                        members[key] = json
                    } else {
                        members[key] = .string(value)
                    }
                    place = end + after.utf8.count
                }
            }
        }
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
