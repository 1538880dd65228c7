/// SentencePiece's unigram model: the sequence of pieces whose scores add up to the most.
struct UnigramModel: Sendable {
    private let pieces: ByteTrie
    private let userDefined: ByteTrie
    private let scores: [Double]
    private let unknown: Int32
    private let unknownScore: Double
    private let map: CharacterMap
    private let addsSpace: Bool
    private let mergesSpaces: Bool

    /// What an unknown character costs beyond the worst piece.
    private static let unknownPenalty: Float = 10

    init(
        tokens: PackedStrings, scores: [Float], kinds: [TokenKind], unknown: Int32, map: CharacterMap,
        addsSpace: Bool, mergesSpaces: Bool
    ) {
        var pieces = ByteTrie(capacity: tokens.count * 8)
        var userDefined = ByteTrie()
        var worst = Float.greatestFiniteMagnitude
        var own: [Double] = []
        own.reserveCapacity(tokens.count)
        for id in 0..<tokens.count {
            let kind = kinds[id]
            let score = scores[id].isFinite ? scores[id] : 0
            own.append(kind.contains(.userDefined) ? 0 : Double(score))
            if tokens.range(id).isEmpty { continue }
            if kind.contains(.normal) { worst = min(worst, score) }
            if !kind.isDisjoint(with: [.normal, .userDefined, .unused]) {
                pieces.insert(tokens[id], Int32(truncatingIfNeeded: id))
            }
            if kind.contains(.userDefined) { userDefined.insert(tokens[id], 0) }
        }
        self.pieces = pieces
        self.userDefined = userDefined
        self.scores = own
        self.unknown = unknown
        unknownScore = Double(worst - Self.unknownPenalty)
        self.map = map
        self.addsSpace = addsSpace
        self.mergesSpaces = mergesSpaces
    }

    func encode(_ text: [UInt8], _ range: Range<Int>, _ output: inout [Int32]) {
        let normalized = normalize(text, range)
        let count = normalized.count
        if count == 0 { return }
        var sums = [Double](repeating: -.greatestFiniteMagnitude, count: count + 1)
        var tokens = [Int32](repeating: unknown, count: count + 1)
        var starts = [Int](repeating: 0, count: count + 1)
        sums[0] = 0
        var position = 0
        while position < count {
            let length = min(CodePoints.announcedLength(normalized[position]), count - position)
            let base = sums[position]
            var covers = false
            var node: Int32 = 0
            var next = position
            while next < count {
                node = pieces.child(node, normalized[next])
                if node < 0 { break }
                next += 1
                let token = pieces.value(node)
                if token < 0 { continue }
                if next - position == length { covers = true }
                let sum = base + scores[Int(token)]
                if sum > sums[next] {
                    sums[next] = sum
                    tokens[next] = token
                    starts[next] = position
                }
            }
            if !covers {
                let sum = base + unknownScore
                if sum > sums[position + length] {
                    sums[position + length] = sum
                    tokens[position + length] = unknown
                    starts[position + length] = position
                }
            }
            position += length
        }
        let before = output.count
        var end = count
        var afterUnknown = false
        while end > 0 {
            let token = tokens[end]
            let isUnknown = token == unknown
            if !(isUnknown && afterUnknown) && token >= 0 { output.append(token) }
            afterUnknown = isUnknown
            end = starts[end]
        }
        output[before...].reverse()
    }

    private func normalize(_ text: [UInt8], _ range: Range<Int>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(range.count + range.count / 2)
        var piece: [UInt8] = []
        var isFirst = true
        var inWord = false
        if addsSpace && !mergesSpaces && !range.isEmpty { result.append(contentsOf: [0xE2, 0x96, 0x81]) }
        var position = range.lowerBound
        while position < range.upperBound {
            piece.removeAll(keepingCapacity: true)
            let fixed = userDefined.longestPrefix(text, position, range.upperBound)
            if fixed > 0 {
                piece.append(contentsOf: text[position..<position + fixed])
                position += fixed
            } else if let rule = map.rule(text, position, range.upperBound) {
                map.appendReplacement(rule.replacement, to: &piece)
                position += rule.length
            } else {
                let read = CodePoints.read(text, position, range.upperBound)
                if read.isValid {
                    piece.append(contentsOf: text[position..<position + read.length])
                } else {
                    piece.append(contentsOf: [0xEF, 0xBF, 0xBD])
                }
                position += read.length
            }
            for byte in piece {
                if byte == 0x20 {
                    inWord = false
                    if !mergesSpaces { result.append(contentsOf: [0xE2, 0x96, 0x81]) }
                    continue
                }
                if !inWord {
                    inWord = true
                    if mergesSpaces && (!isFirst || addsSpace) { result.append(contentsOf: [0xE2, 0x96, 0x81]) }
                    isFirst = false
                }
                result.append(byte)
            }
        }
        return result
    }
}
