/// One condition on a number, decided digit by digit while its text is read.
enum NumberAtom: Hashable, Sendable {
    /// Less than (or equal to) a bound.
    case below(Decimal, orEqual: Bool)
    case integer
    /// A multiple of `multiple / 10^scale`.
    case multiple(of: Int, scale: Int)
    /// One of some values.
    case values([Decimal])
}

/// A condition as a little machine with whole numbers for states.
private struct NumberPart {
    let atom: NumberAtom
    /// `values`: children of each node by byte, and whether a value ends there.
    var children: [[UInt8: Int]] = [[:]]
    var ends: [Bool] = [false]

    init(_ atom: NumberAtom) {
        self.atom = atom
        guard case .values(let values) = atom else { return }
        for value in values {
            insert(value.spelling)
            if value.isZero { insert(Array("-0".utf8)) }
        }
    }

    private mutating func insert(_ text: [UInt8]) {
        var node = 0
        for byte in text {
            if let child = children[node][byte] {
                node = child
            } else {
                children[node][byte] = children.count
                node = children.count
                children.append([:])
                ends.append(false)
            }
        }
        ends[node] = true
    }

    /// Fields of the state of a comparison, packed into a whole number.
    private struct Comparison {
        var isNegative = false
        var isFraction = false
        /// Of the digits so far against the bound's: -1, 0, 1.
        var order = 0
        var count = 0

        init() {}
        init(_ packed: Int) {
            isNegative = packed & 1 != 0
            isFraction = packed & 2 != 0
            order = (packed >> 2 & 3) - 1
            count = packed >> 4
        }
        var packed: Int { (isNegative ? 1 : 0) | (isFraction ? 2 : 0) | (order + 1) << 2 | count << 4 }
    }

    var initial: Int {
        switch atom {
        case .below: Comparison().packed
        case .integer, .multiple: 0
        case .values: 1 << 2
        }
    }

    func step(_ state: Int, _ byte: UInt8) -> Int {
        let digit = Int(byte) - 0x30
        let isPoint = byte == UInt8(ascii: ".")
        switch atom {
        case .integer:
            // 0 whole, 1 fraction of zeros, 2 a fraction.
            return isPoint ? 1 : state == 1 && digit > 0 ? 2 : state
        case .below(let bound, _):
            var comparison = Comparison(state)
            if byte == UInt8(ascii: "-") {
                comparison.isNegative = true
            } else if isPoint {
                if comparison.count != bound.whole.count {
                    comparison.order = comparison.count < bound.whole.count ? -1 : 1
                }
                comparison.isFraction = true
                comparison.count = 0
            } else if comparison.isFraction {
                if comparison.order == 0 {
                    let other = comparison.count < bound.fraction.count ? Int(bound.fraction[comparison.count]) : 0
                    comparison.order = digit < other ? -1 : digit > other ? 1 : 0
                    comparison.count = min(comparison.count + 1, bound.fraction.count)
                }
                if comparison.order != 0 { comparison.count = 0 }
            } else {
                if comparison.order == 0, comparison.count < bound.whole.count {
                    let other = Int(bound.whole[comparison.count])
                    comparison.order = digit < other ? -1 : digit > other ? 1 : 0
                }
                comparison.count = min(comparison.count + 1, bound.whole.count + 1)
                if comparison.count > bound.whole.count { comparison.order = 1 }
            }
            return comparison.packed
        case .multiple(let modulus, let scale):
            // remainder, then 0 for the whole part or 1 + fraction digits read; -1 has failed.
            if state < 0 || byte == UInt8(ascii: "-") { return state }
            let (remainder, place) = (state / (scale + 2), state % (scale + 2))
            if isPoint { return remainder * (scale + 2) + 1 }
            if place == scale + 1 { return digit == 0 ? state : -1 }
            return (remainder * 10 + digit) % modulus * (scale + 2) + (place == 0 ? 0 : place + 1)
        case .values:
            // Node + 1 (0 has left the tree), whether behind the point, and whether only zeros may follow.
            let node = (state >> 2) - 1
            let child = node < 0 ? nil : children[node][byte]
            let isInFraction = isPoint || state & 2 != 0
            let holds: Bool
            if isPoint {
                holds = node >= 0 && ends[node]
            } else if state & 2 != 0, digit == 0 {
                holds = state & 1 != 0
            } else {
                holds = child.map { ends[$0] } ?? false
            }
            return (child.map { $0 + 1 } ?? 0) << 2 | (isInFraction ? 2 : 0) | (holds ? 1 : 0)
        }
    }

    func accepts(_ state: Int) -> Bool {
        switch atom {
        case .integer: return state != 2
        case .below(let bound, let orEqual):
            let comparison = Comparison(state)
            var order = comparison.order
            if comparison.isFraction {
                if order == 0, comparison.count < bound.fraction.count { order = -1 }
            } else if comparison.count != bound.whole.count {
                order = comparison.count < bound.whole.count ? -1 : 1
            } else if order == 0, !bound.fraction.isEmpty {
                order = -1
            }
            if bound.isNegative {
                order = comparison.isNegative ? -order : 1
            } else if comparison.isNegative {
                order = bound.isZero && order == 0 ? 0 : -1
            }
            return order < 0 || (orEqual && order == 0)
        case .multiple(let modulus, let scale):
            if state < 0 { return false }
            var (remainder, place) = (state / (scale + 2), state % (scale + 2))
            place = max(place, 1)
            while place < scale + 1 {
                remainder = remainder * 10 % modulus
                place += 1
            }
            return remainder == 0
        case .values: return state & 1 != 0
        }
    }
}

/// Builds the rule of the numbers that a condition allows.
struct NumberRule {
    let condition: Condition
    let atoms: [NumberAtom]
    let options: SchemaOptions

    private struct State: Hashable {
        var shape: Shape
        /// Digits since the start or the point, where they are counted.
        var digits: Int
        var parts: [Int]
    }

    private enum Shape { case start, minus, zero, minusZero, whole, point, fraction, letter, sign, exponent }

    /// Adds the states of the rule and returns its start. What follows the number is the caller's.
    func build(_ builder: inout MachineBuilder) throws(GrammarError) -> Int32 {
        let used = condition.atoms
        let parts = used.map { NumberPart(atoms[Int($0)]) }
        let isFree = condition == .constant(true)
        let needsInteger =
            !options.everySpelling
            && condition.replacing { atoms[Int($0)] == .integer ? false : nil } == .constant(false)
        var limit = options.everySpelling ? Int.max : max(1, options.maximumDigits)
        if limit < Int.max {
            for atom in used { limit = max(limit, atoms[Int(atom)].digitCount) }
        }

        func accepts(_ state: State) -> Bool {
            switch state.shape {
            case .zero, .whole, .fraction, .exponent: break
            case .minusZero where options.everySpelling: break
            default: return false
            }
            return condition.holds { atom in
                used.firstIndex(of: atom).map { parts[$0].accepts(state.parts[$0]) } ?? false
            }
        }

        func shape(after shape: Shape, _ byte: UInt8) -> Shape? {
            switch (shape, byte) {
            case (.start, UInt8(ascii: "-")): .minus
            case (.start, 0x30): .zero
            case (.minus, 0x30): .minusZero
            case (.start, 0x31...0x39), (.minus, 0x31...0x39), (.whole, 0x30...0x39): .whole
            case (.zero, UInt8(ascii: ".")), (.minusZero, UInt8(ascii: ".")), (.whole, UInt8(ascii: ".")):
                needsInteger ? nil : .point
            case (.point, 0x30...0x39), (.fraction, 0x30...0x39): .fraction
            case (.zero, UInt8(ascii: "e")), (.minusZero, UInt8(ascii: "e")), (.whole, UInt8(ascii: "e")),
                (.fraction, UInt8(ascii: "e")), (.zero, UInt8(ascii: "E")), (.minusZero, UInt8(ascii: "E")),
                (.whole, UInt8(ascii: "E")), (.fraction, UInt8(ascii: "E")):
                isFree && options.everySpelling ? .letter : nil
            case (.letter, UInt8(ascii: "+")), (.letter, UInt8(ascii: "-")): .sign
            case (.letter, 0x30...0x39), (.sign, 0x30...0x39), (.exponent, 0x30...0x39): .exponent
            default: nil
            }
        }

        var ids: [State: Int32] = [:]
        var queue: [State] = []
        func id(_ state: State) throws(GrammarError) -> Int32 {
            if let known = ids[state] { return known }
            let made = try builder.state(isFinal: accepts(state))
            ids[state] = made
            queue.append(state)
            return made
        }
        let start = try id(State(shape: .start, digits: 0, parts: parts.map(\.initial)))
        while let state = queue.popLast() {
            guard ids.count <= options.limits.stringStates else {
                throw GrammarError(
                    .tooLarge, "a number's conditions need more than \(options.limits.stringStates) states")
            }
            let from = try id(state)
            for byte in Array("-0123456789.eE+".utf8) {
                guard let shape = shape(after: state.shape, byte) else { continue }
                let isDigit = byte >= 0x30 && byte <= 0x39
                let digits = shape == .point ? 0 : isDigit && limit < Int.max ? state.digits + 1 : state.digits
                if digits > limit { continue }
                let next = parts.indices.map { parts[$0].step(state.parts[$0], byte) }
                builder.edge(from, byte, byte, try id(State(shape: shape, digits: digits, parts: next)))
            }
        }
        return start
    }
}

extension NumberAtom {
    /// Digits that a number may need to meet it.
    fileprivate var digitCount: Int {
        switch self {
        case .below(let bound, _): max(bound.whole.count + 1, bound.fraction.count)
        case .integer: 1
        case .multiple(_, let scale): scale
        case .values(let values): values.reduce(1) { max($0, $1.whole.count, $1.fraction.count) }
        }
    }
}
