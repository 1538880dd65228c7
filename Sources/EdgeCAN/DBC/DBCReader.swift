internal import EdgePlatform

extension DBCDatabase {
    /// The most bytes a file may have.
    public static let byteLimit = 16 << 20
    /// The most signals a message may have.
    public static let signalLimit = 2048

    /// Reads a DBC file.
    ///
    /// Messages, signals with all kinds of multiplexing, value tables, types of numbers, comments, attributes, senders, groups and
    /// environment variables are read; attributes of relations and statements that CANdb++ has given up are skipped. Texts are UTF-8,
    /// or else Windows-1252.
    ///
    /// - Parameters:
    ///   - bytes: the file, at most `byteLimit` bytes.
    ///   - strict: whether a file with `problems` is refused.
    /// - Throws: `DBCError` at the first defect.
    public init(parsing bytes: [UInt8], strict: Bool = false) throws(DBCError) {
        guard bytes.count <= Self.byteLimit else {
            throw DBCError(
                .tooLarge, "\(bytes.count) bytes; at most \(Self.byteLimit) are read", line: 1, column: 1)
        }
        var reader = try DBCReader(bytes)
        let statements = try reader.read()
        self = try DBCAssembler(statements).database()
        if strict, let problem = problems.first {
            throw DBCError(.contradiction, problem.message, line: problem.line, column: problem.column)
        }
    }
}

/// A name in a file, and where it stands.
struct DBCPlace: Equatable {
    var line = 0
    var column = 0
}

/// The statements of a file as they are written, before any refers to another.
struct DBCStatements {
    struct Signal {
        var name: String
        var place: DBCPlace
        /// As written: `M`, `m3`, `m3M`, or nothing.
        var mark: String?
        var startBit = 0
        var bitCount = 0
        var isBigEndian = false
        var isSigned = false
        var scale = 0.0
        var offset = 0.0
        var minimum = 0.0
        var maximum = 0.0
        var unit = ""
        var receivers: [String] = []

        /// The number of the mark, where it is `m` with a number.
        var markValue: Int64? {
            guard let mark, mark.hasPrefix("m") else { return nil }
            return Int64(mark.dropFirst().prefix { $0 != "M" })
        }
        var isMultiplexer: Bool { mark?.hasSuffix("M") ?? false }
    }

    struct Message {
        /// With the bit that marks extended identifiers.
        var number: UInt32
        var name: String
        var place: DBCPlace
        var byteCount: Int
        var sender: String
        var signals: [Signal] = []
    }

    struct SignalKey: Hashable {
        var message: UInt32
        var signal: String
    }

    /// What an attribute or a comment belongs to.
    enum Object: Hashable {
        case database
        case node(String)
        case message(UInt32)
        case signal(SignalKey)
        case environmentVariable(String)
    }

    struct Located<Value> {
        var value: Value
        var place: DBCPlace
    }

    struct Range {
        var multiplexer: String
        var values: [ClosedRange<Int64>]
    }

    /// A number or text as it is written, before its attribute's kind is known.
    struct Literal {
        var text: String
        var isText: Bool
    }

    struct Attribute {
        var name: String
        var object: Object
        var literal: Literal
        var place: DBCPlace
    }

    struct Variable {
        var name: String
        var type = 0
        var minimum = 0.0
        var maximum = 0.0
        var unit = ""
        var initialValue = 0.0
        var nodes: [String] = []
    }

    var version = ""
    var nodes: [String] = []
    var messages: [Message] = []
    var valueTables: [String: DBCValueTable] = [:]
    var choices: [SignalKey: Located<DBCValueTable>] = [:]
    var valueTypes: [SignalKey: Located<Int>] = [:]
    var ranges: [SignalKey: Located<Range>] = [:]
    var senders: [UInt32: [String]] = [:]
    var groups: [UInt32: [DBCSignalGroup]] = [:]
    var comments: [Object: String] = [:]
    var definitions: [String: DBCAttributeDefinition] = [:]
    var defaults: [String: Literal] = [:]
    var attributes: [Attribute] = []
    var variables: [Variable] = []
    var variableSizes: [String: Int] = [:]
}

/// Reads the statements of a DBC file, one after the other. Nothing recurses.
struct DBCReader {
    private var lexer: DBCLexer
    private var token: DBCToken
    private var statements = DBCStatements()

    init(_ bytes: [UInt8]) throws(DBCError) {
        lexer = DBCLexer(bytes)
        token = try lexer.next()
    }

    mutating func read() throws(DBCError) -> DBCStatements {
        while token.kind != .end { try readStatement() }
        return statements
    }

    // MARK: Tokens

    private var place: DBCPlace { DBCPlace(line: token.line, column: token.column) }

    private func error(_ code: DBCError.Code, _ message: String, at place: DBCPlace? = nil) -> DBCError {
        let place = place ?? self.place
        return DBCError(code, message, line: place.line, column: place.column)
    }

    private func expected(_ what: String) -> DBCError {
        let found =
            switch token.kind {
            case .end: "the end of the file"
            case .string: "a text"
            default: "\"\(lexer.text(token).printable(limit: 40))\""
            }
        return error(.syntax, "expected \(what), found \(found)")
    }

    private mutating func advance() throws(DBCError) { token = try lexer.next() }

    private func isSymbol(_ symbol: Unicode.Scalar) -> Bool { token.kind == .symbol(UInt8(ascii: symbol)) }

    private mutating func take(_ symbol: Unicode.Scalar) throws(DBCError) {
        guard isSymbol(symbol) else { throw expected("\"\(symbol)\"") }
        try advance()
    }

    private mutating func takeIf(_ symbol: Unicode.Scalar) throws(DBCError) -> Bool {
        guard isSymbol(symbol) else { return false }
        try advance()
        return true
    }

    private mutating func word(_ what: String) throws(DBCError) -> String {
        guard token.kind == .word else { throw expected(what) }
        let text = lexer.text(token)
        try advance()
        return text
    }

    /// Consumes a keyword if it is next.
    private mutating func takeIf(word: String) throws(DBCError) -> Bool {
        guard token.kind == .word, lexer.text(token) == word else { return false }
        try advance()
        return true
    }

    private mutating func string() throws(DBCError) -> String {
        guard token.kind == .string else { throw expected("a text in quotes") }
        let text = lexer.text(token)
        try advance()
        return text
    }

    private mutating func numberText(_ what: String) throws(DBCError) -> String {
        guard token.kind == .number else { throw expected(what) }
        let text = lexer.text(token)
        try advance()
        return text
    }

    private mutating func number(_ what: String) throws(DBCError) -> Double {
        let place = place
        let text = try numberText(what)
        guard let value = Double(text), value.isFinite else {
            throw error(.invalidValue, "\(text.printable(limit: 40)) is too large", at: place)
        }
        return value
    }

    private mutating func integer<Value: FixedWidthInteger>(
        _ what: String, in bounds: ClosedRange<Value>
    ) throws(DBCError) -> Value {
        let place = place
        let text = try numberText(what)
        guard let value = Value(text), bounds.contains(value) else {
            throw error(
                .invalidValue,
                "\(what) is \(text.printable(limit: 40)) instead of \(bounds.lowerBound) to \(bounds.upperBound)",
                at: place)
        }
        return value
    }

    private mutating func messageNumber() throws(DBCError) -> UInt32 {
        try integer("the number of a message", in: 0...UInt32.max)
    }

    private mutating func signalKey() throws(DBCError) -> DBCStatements.SignalKey {
        DBCStatements.SignalKey(message: try messageNumber(), signal: try word("the name of a signal"))
    }

    private mutating func words(_ what: String) throws(DBCError) -> [String] {
        var words = [try word(what)]
        while try takeIf(",") { words.append(try word(what)) }
        return words
    }

    private mutating func literal() throws(DBCError) -> DBCStatements.Literal {
        token.kind == .string
            ? DBCStatements.Literal(text: try string(), isText: true)
            : DBCStatements.Literal(text: try numberText("a number or a text"), isText: false)
    }

    private mutating func skipStatement() throws(DBCError) {
        while token.kind != .end, !isSymbol(";") { try advance() }
        try take(";")
    }

    // MARK: Statements

    private mutating func readStatement() throws(DBCError) {
        guard token.kind == .word else { throw expected("a statement") }
        let keyword = lexer.text(token)
        let start = place
        try advance()
        switch keyword {
        case "VERSION": statements.version = try string()
        case "NS_": try readNewSymbols()
        case "BS_": try readBitTiming()
        case "BU_":
            try take(":")
            while token.kind == .word, !isStatement { statements.nodes.append(try word("a name")) }
        case "BO_": try readMessage()
        case "BO_TX_BU_":
            let number = try messageNumber()
            try take(":")
            statements.senders[number, default: []] += try words("the name of a control unit")
            try take(";")
        case "VAL_TABLE_":
            let name = try word("the name of a table")
            statements.valueTables[name] = try readTable()
        case "VAL_":
            guard token.kind == .number else {
                // Of an environment variable.
                return try skipStatement()
            }
            let key = try signalKey()
            let table = try readTable()
            statements.choices[key] = .init(value: table, place: start)
        case "SIG_VALTYPE_":
            let key = try signalKey()
            _ = try takeIf(":")
            statements.valueTypes[key] = .init(value: try integer("the type of a number", in: 0...3), place: start)
            try take(";")
        case "SG_MUL_VAL_": try readRanges(start)
        case "SIG_GROUP_":
            let number = try messageNumber()
            let name = try word("the name of a group")
            _ = try numberText("a number of repetitions")
            try take(":")
            var names: [String] = []
            while token.kind == .word { names.append(try word("the name of a signal")) }
            try take(";")
            statements.groups[number, default: []].append(DBCSignalGroup(name: name, signalNames: names))
        case "CM_":
            let object = try readObject()
            let text = try string()
            try take(";")
            // CANdb++ cuts what is said of the bus into several statements.
            if object == .database, let before = statements.comments[object] {
                statements.comments[object] = before + text
            } else {
                statements.comments[object] = text
            }
        case "BA_DEF_": try readDefinition()
        case "BA_DEF_DEF_":
            let name = try string()
            statements.defaults[name] = try literal()
            try take(";")
        case "BA_":
            let name = try string()
            let object = try readObject()
            statements.attributes.append(
                .init(name: name, object: object, literal: try literal(), place: start))
            try take(";")
        case "EV_": try readVariable()
        case "ENVVAR_DATA_":
            let name = try word("the name of an environment variable")
            try take(":")
            statements.variableSizes[name] = try integer("the bytes of an environment variable", in: 0...Int(Int32.max))
            try take(";")
        case _ where Self.skipped.contains(keyword): try skipStatement()
        default:
            throw error(.syntax, "there is no statement \"\(keyword.printable(limit: 40))\"", at: start)
        }
    }

    /// Attributes of relations, and what CANdb++ has given up.
    private static let skipped: Set<String> = [
        "BA_DEF_REL_", "BA_DEF_DEF_REL_", "BA_REL_", "BA_DEF_SGTYPE_", "BA_SGTYPE_", "SGTYPE_", "SGTYPE_VAL_",
        "SIG_TYPE_REF_", "SIGTYPE_VALTYPE_", "EV_DATA_", "CAT_DEF_", "CAT_", "FILTER", "NS_DESC_",
    ]

    private static let keywords: Set<String> = skipped.union([
        "VERSION", "NS_", "BS_", "BU_", "BO_", "BO_TX_BU_", "VAL_TABLE_", "VAL_", "SIG_VALTYPE_", "SG_MUL_VAL_",
        "SIG_GROUP_", "CM_", "BA_DEF_", "BA_DEF_DEF_", "BA_", "EV_", "ENVVAR_DATA_", "SG_",
    ])

    private var isStatement: Bool { Self.keywords.contains(lexer.text(token)) }

    /// The list of statements that a file may have: words up to the statement after it, the first with a colon.
    private mutating func readNewSymbols() throws(DBCError) {
        try take(":")
        while token.kind == .word {
            var ahead = lexer
            if try ahead.next().kind == .symbol(UInt8(ascii: ":")) { return }
            try advance()
        }
    }

    private mutating func readBitTiming() throws(DBCError) {
        try take(":")
        guard token.kind == .number else { return }
        _ = try numberText("a rate")
        guard try takeIf(":") else { return }
        _ = try numberText("a bit timing")
        try take(",")
        _ = try numberText("a bit timing")
    }

    private mutating func readMessage() throws(DBCError) {
        let number = try messageNumber()
        let place = place
        let name = try word("the name of a message")
        try take(":")
        var message = DBCStatements.Message(
            number: number, name: name, place: place, byteCount: try integer("the bytes of a message", in: 0...65535),
            sender: try word("the name of a control unit"))
        while try takeIf(word: "SG_") {
            guard message.signals.count < DBCDatabase.signalLimit else {
                throw error(.tooLarge, "\(name) has more than \(DBCDatabase.signalLimit) signals")
            }
            message.signals.append(try readSignal())
        }
        statements.messages.append(message)
    }

    private mutating func readSignal() throws(DBCError) -> DBCStatements.Signal {
        let place = place
        var signal = DBCStatements.Signal(name: try word("the name of a signal"), place: place)
        if token.kind == .word {
            signal.mark = lexer.text(token)
            guard signal.mark == "M" || signal.markValue != nil else {
                throw expected("\":\", \"M\" or \"m\" with a number")
            }
            try advance()
        }
        try take(":")
        signal.startBit = try integer("the first bit", in: 0...524_279)
        try take("|")
        signal.bitCount = try integer("the number of bits", in: 1...64)
        try take("@")
        signal.isBigEndian = try integer("the order of the bytes", in: 0...1) == 0
        if isSymbol("-") { signal.isSigned = true } else if !isSymbol("+") { throw expected("\"+\" or \"-\"") }
        try advance()
        try take("(")
        signal.scale = try number("a factor")
        try take(",")
        signal.offset = try number("an offset")
        try take(")")
        try take("[")
        signal.minimum = try number("the least value")
        try take("|")
        signal.maximum = try number("the greatest value")
        try take("]")
        signal.unit = try string()
        signal.receivers = try words("the name of a control unit")
        return signal
    }

    /// Numbers and texts up to a semicolon; of a number that comes twice the last text counts.
    private mutating func readTable() throws(DBCError) -> DBCValueTable {
        var table: DBCValueTable = [:]
        while !isSymbol(";") {
            let value = try integer("a number of a table", in: Int128(Int64.min)...Int128(UInt64.max))
            table[value] = try string()
        }
        try advance()
        return table
    }

    private mutating func readRanges(_ start: DBCPlace) throws(DBCError) {
        let key = try signalKey()
        let multiplexer = try word("the name of a multiplexer")
        var values: [ClosedRange<Int64>] = []
        repeat {
            let lower = try integer("the first value", in: 0...Int64.max)
            let place = place
            _ = try takeIf("-")
            // `0-5` is the number 0 and the number -5.
            let upper = try integer("the last value", in: -Int64.max...Int64.max).magnitude
            guard upper <= UInt64(Int64.max), lower <= Int64(upper) else {
                throw error(.invalidValue, "a range from \(lower) to \(upper)", at: place)
            }
            values.append(lower...Int64(upper))
        } while try takeIf(",")
        try take(";")
        // Two statements for one signal add up, as long as they name the same multiplexer.
        if let before = statements.ranges[key], before.value.multiplexer == multiplexer {
            values = before.value.values + values
        }
        statements.ranges[key] = .init(value: .init(multiplexer: multiplexer, values: values), place: start)
    }

    /// What a comment or an attribute is of.
    private mutating func readObject() throws(DBCError) -> DBCStatements.Object {
        if try takeIf(word: "BU_") { return .node(try word("the name of a control unit")) }
        if try takeIf(word: "BO_") { return .message(try messageNumber()) }
        if try takeIf(word: "SG_") { return .signal(try signalKey()) }
        if try takeIf(word: "EV_") { return .environmentVariable(try word("the name of an environment variable")) }
        return .database
    }

    private mutating func readDefinition() throws(DBCError) {
        var owner = DBCAttributeDefinition.Owner.database
        if token.kind == .word {
            guard let found = DBCAttributeDefinition.Owner(rawValue: lexer.text(token)) else {
                throw expected("what has the attribute")
            }
            owner = found
            try advance()
        }
        let name = try string()
        guard token.kind == .word, let kind = DBCAttributeDefinition.Kind(rawValue: lexer.text(token)) else {
            throw expected("a kind of attribute")
        }
        try advance()
        var bounds: [Double] = []
        var choices: [String] = []
        if kind == .enumeration {
            while token.kind == .string {
                choices.append(try string())
                guard try takeIf(",") else { break }
            }
        } else {
            while token.kind == .number { bounds.append(try number("a bound")) }
        }
        try take(";")
        statements.definitions[name] = DBCAttributeDefinition(
            name: name, owner: owner, kind: kind, bounds: bounds, choices: choices)
    }

    private mutating func readVariable() throws(DBCError) {
        var variable = DBCStatements.Variable(name: try word("the name of an environment variable"))
        try take(":")
        variable.type = try integer("a type", in: 0...Int(Int32.max))
        try take("[")
        variable.minimum = try number("the least value")
        try take("|")
        variable.maximum = try number("the greatest value")
        try take("]")
        variable.unit = try string()
        variable.initialValue = try number("a value")
        _ = try numberText("a number")
        _ = try word("a kind of access")
        variable.nodes = try words("the name of a control unit")
        try take(";")
        statements.variables.append(variable)
    }
}
