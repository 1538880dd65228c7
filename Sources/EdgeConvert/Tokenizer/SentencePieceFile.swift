internal import EdgePlatform

/// SentencePiece's `tokenizer.model`, a protocol buffer (sentencepiece_model.proto): its pieces, and what of its settings matters.
struct SentencePieceFile {
    struct Piece {
        var text: [UInt8] = []
        var score: Float = 0
        var type = TokenType.normal
    }

    private(set) var pieces: [Piece] = []
    /// 1 for Unigram, 2 for byte pairs.
    private(set) var modelType = 1
    private(set) var putsSpacesBehind = false
    private(set) var unknownId = 0
    private(set) var bosId = 1
    private(set) var eosId = 2
    private(set) var padId = -1
    private(set) var addsSpacePrefix = true
    private(set) var mergesSpaces = true
    private(set) var charactersMap: [UInt8] = []

    static let longest = 1 << 26

    init(_ bytes: ByteView, path: String) throws(ConversionError) {
        guard bytes.count <= Self.longest else {
            throw ConversionError(
                .malformed, "\(bytes.count) bytes are more than the \(Self.longest) allowed", path: path)
        }
        var model = ProtocolBuffer(bytes, path: path)
        while let field = try model.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let view)): pieces.append(try Self.piece(view, path))
            case (2, .bytes(let view)): try readTrainer(view, path)
            case (3, .bytes(let view)): try readNormalizer(view, path)
            default: break
            }
        }
        guard !pieces.isEmpty else {
            throw ConversionError(.malformed, "the file holds no pieces; it is none of SentencePiece's", path: path)
        }
    }

    private static func piece(_ bytes: ByteView, _ path: String) throws(ConversionError) -> Piece {
        var piece = Piece()
        var buffer = ProtocolBuffer(bytes, path: path)
        while let field = try buffer.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let view)): piece.text = view.copied()
            case (2, .fixed32(let bits)): piece.score = Float(bitPattern: bits)
            case (3, .varint(let number)):
                guard let type = Int32(exactly: number).flatMap(TokenType.init(rawValue:)) else {
                    throw ConversionError(.malformed, "a piece has the unknown type \(number)", path: path)
                }
                piece.type = type
            default: break
            }
        }
        guard piece.score.isFinite else { throw ConversionError(.malformed, "a piece has no finite score", path: path) }
        return piece
    }

    private mutating func readTrainer(_ bytes: ByteView, _ path: String) throws(ConversionError) {
        var buffer = ProtocolBuffer(bytes, path: path)
        while let field = try buffer.next() {
            guard case .varint(let number) = field.value else { continue }
            // Negative ids, for none, are written as 64 bits.
            let value = Int(truncatingIfNeeded: number)
            switch field.number {
            case 3: modelType = value
            case 24: putsSpacesBehind = value != 0
            case 40: unknownId = value
            case 41: bosId = value
            case 42: eosId = value
            case 43: padId = value
            default: break
            }
        }
    }

    private mutating func readNormalizer(_ bytes: ByteView, _ path: String) throws(ConversionError) {
        var buffer = ProtocolBuffer(bytes, path: path)
        while let field = try buffer.next() {
            switch (field.number, field.value) {
            case (2, .bytes(let view)): charactersMap = view.copied()
            case (3, .varint(let flag)): addsSpacePrefix = flag != 0
            case (4, .varint(let flag)): mergesSpaces = flag != 0
            default: break
            }
        }
    }
}

/// Reads the fields of a protocol buffer's message one by one (https://protobuf.dev/programming-guides/encoding).
struct ProtocolBuffer {
    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case bytes(ByteView)
        case fixed32(UInt32)
    }

    private let bytes: ByteView
    private let path: String
    private var position = 0

    init(_ bytes: ByteView, path: String) {
        self.bytes = bytes
        self.path = path
    }

    private func failure(_ what: String) -> ConversionError {
        ConversionError(.malformed, "\(what); the file is no sound protocol buffer", path: path, byteOffset: position)
    }

    /// The next field; nil at the end.
    ///
    /// - Throws: `malformed` for a field that reaches beyond the message, and for groups, which nobody writes any more.
    mutating func next() throws(ConversionError) -> (number: Int, value: Value)? {
        guard position < bytes.count else { return nil }
        let key = try varint()
        guard key >> 3 > 0, key >> 3 < 1 << 29 else { throw failure("a field has no number") }
        let number = Int(key >> 3)
        switch key & 7 {
        case 0: return (number, .varint(try varint()))
        case 1:
            guard let value = bytes.load(UInt64.self, at: position) else { throw failure("a field ends early") }
            position += 8
            return (number, .fixed64(UInt64(littleEndian: value)))
        case 2:
            let length = try varint()
            guard let count = Int(exactly: length), let part = bytes.slice(at: position, byteCount: count) else {
                throw failure("a field of \(length) bytes ends early")
            }
            position += count
            return (number, .bytes(part))
        case 5:
            guard let value = bytes.load(UInt32.self, at: position) else { throw failure("a field ends early") }
            position += 4
            return (number, .fixed32(UInt32(littleEndian: value)))
        default: throw failure("a field has the unknown wire type \(key & 7)")
        }
    }

    private mutating func varint() throws(ConversionError) -> UInt64 {
        var result: UInt64 = 0
        for index in 0..<10 {
            guard let byte = bytes.load(UInt8.self, at: position) else { throw failure("a number ends early") }
            position += 1
            result |= UInt64(byte & 0x7F) << (7 * UInt64(index))
            if byte < 0x80 { return result }
        }
        throw failure("a number has more than ten bytes")
    }
}
