/// A set of code points: categories, explicit ranges, exceptions, perhaps inverted.
struct CharacterSet: Sendable {
    var classes: CharacterClass = []
    var ranges: [ClosedRange<UInt32>] = []
    /// Removed from what `classes` gives.
    var except: [ClosedRange<UInt32>] = []
    var isInverted = false

    init(
        _ classes: CharacterClass = [], _ characters: String = "", except: [ClosedRange<UInt32>] = [],
        ranges: [ClosedRange<UInt32>] = []
    ) {
        self.classes = classes
        self.except = except
        self.ranges = ranges + characters.unicodeScalars.map { $0.value...$0.value }
    }

    /// All but the given code points.
    static func not(_ classes: CharacterClass, _ characters: String = "") -> CharacterSet {
        var set = CharacterSet(classes, characters)
        set.isInverted = true
        return set
    }

    @inline(__always)
    func contains(_ scalar: UInt32, _ bits: UInt16) -> Bool {
        var isIn = bits & classes.rawValue != 0
        if isIn {
            for range in except where range.contains(scalar) { isIn = false }
        }
        if !isIn {
            for range in ranges where range.contains(scalar) {
                isIn = true
                break
            }
        }
        return isIn != isInverted
    }
}

/// One element of a split pattern; matched greedily, with backtracking, first alternative first.
enum SplitItem: Sendable {
    case set(CharacterSet, ClosedRange<Int>)
    /// `'s 't 're 've 'm 'll 'd` in either case.
    case contraction
    case optionalContraction
    /// White space up to and including the last line break of its run: `\s*[\r\n]+`.
    case blankLines
    /// Not followed by a character other than white space: `(?!\S)`.
    case beforeSpaceOrEnd
    /// Letters with marks, words joined by single spaces: `\p{L}\p{M}*( ?\p{L}\p{M}*)*`.
    case spacedWords
}

extension ScalarText {
    /// Length of the contraction at `position` (2, 3) or 0.
    @inline(__always)
    func contraction(_ position: Int, _ end: Int, anyCase: Bool = true, wide: Bool = false) -> Int {
        guard position + 1 < end, scalars[position] == 0x27 else { return 0 }
        let next = folded(position + 1, anyCase, wide)
        if next == 0x73 || next == 0x74 || next == 0x6D || next == 0x64 { return 2 }
        guard position + 2 < end, next == 0x72 || next == 0x76 || next == 0x6C else { return 0 }
        return folded(position + 2, anyCase, wide) == (next == 0x6C ? 0x6C : 0x65) ? 3 : 0
    }

    /// `wide` folds all of Unicode (so that U+017F, the long s, stays itself but U+212A folds), else ASCII only.
    @inline(__always)
    private func folded(_ position: Int, _ anyCase: Bool, _ wide: Bool) -> UInt32 {
        let scalar = scalars[position]
        guard anyCase else { return scalar }
        return scalar < 0x80 || wide ? CharacterTable.lowercased(scalar) : scalar
    }

    /// White space beyond ASCII reads as a vertical tab, so that no explicit range takes it.
    @inline(__always)
    func contains(_ set: CharacterSet, _ position: Int) -> Bool {
        let bits = classes[position]
        let scalar = scalars[position]
        return set.contains(scalar > 0x7F && bits & CharacterClass.space.rawValue != 0 ? 0x0B : scalar, bits)
    }

    @inline(__always)
    func has(_ position: Int, _ kind: CharacterClass) -> Bool { classes[position] & kind.rawValue != 0 }
}

/// The last run of white space that was measured: a pattern may ask for it at each of its positions.
struct SpaceRun {
    var start = 0
    var end = 0
    /// End of the last line break in it, 0 without.
    var lastBreak = 0

    mutating func measure(_ text: ScalarText, _ position: Int, _ limit: Int) {
        if position >= start && position < end { return }
        start = position
        end = position
        lastBreak = 0
        while end < limit && text.has(end, .space) {
            let scalar = text.scalars[end]
            end += 1
            if scalar == 0x0A || scalar == 0x0D { lastBreak = end }
        }
    }
}

/// Alternatives of items, searched from left to right; what lies between matches is a piece of its own.
struct SplitPattern: Sendable {
    let alternatives: [[SplitItem]]

    func split(_ text: ScalarText, _ start: Int, _ end: Int, _ ends: inout [Int]) {
        var run = SpaceRun()
        var position = start
        var previous = start
        while position < end {
            var match = -1
            for items in alternatives {
                match = self.match(items, 0, text, position, end, &run)
                if match >= 0 { break }
            }
            if match <= position {
                position += 1
                continue
            }
            if position > previous { ends.append(position) }
            ends.append(match)
            position = match
            previous = match
        }
        if end > previous { ends.append(end) }
    }

    private func match(
        _ items: [SplitItem], _ index: Int, _ text: ScalarText, _ position: Int, _ end: Int, _ run: inout SpaceRun
    ) -> Int {
        guard index < items.count else { return position }
        switch items[index] {
        case .set(let set, let counts):
            var count = 0
            while count < counts.upperBound && position + count < end && text.contains(set, position + count) {
                count += 1
            }
            while count >= counts.lowerBound {
                let match = match(items, index + 1, text, position + count, end, &run)
                if match >= 0 { return match }
                count -= 1
            }
            return -1
        case .contraction:
            let length = text.contraction(position, end)
            return length == 0 ? -1 : match(items, index + 1, text, position + length, end, &run)
        case .optionalContraction:
            return match(items, index + 1, text, position + text.contraction(position, end), end, &run)
        case .blankLines:
            run.measure(text, position, end)
            return run.lastBreak > position ? match(items, index + 1, text, run.lastBreak, end, &run) : -1
        case .beforeSpaceOrEnd:
            let holds = position >= end || text.has(position, .space)
            return holds ? match(items, index + 1, text, position, end, &run) : -1
        case .spacedWords:
            var next = position
            while true {
                let letter = next > position && next < end && text.scalars[next] == 0x20 ? next + 1 : next
                guard letter < end && text.has(letter, .letter) else { break }
                next = letter + 1
                while next < end && text.has(next, .mark) { next += 1 }
            }
            return next > position ? match(items, index + 1, text, next, end, &run) : -1
        }
    }
}
