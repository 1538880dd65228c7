internal import EdgePlatform

/// Makes a database of statements: resolves what refers to what, and finds what contradicts itself.
struct DBCAssembler {
    private let statements: DBCStatements
    private var attributes: [DBCStatements.Object: [String: DBCAttributeValue]] = [:]
    private var definitions: [String: DBCAttributeDefinition] = [:]
    /// The defaults of the attributes of each kind of object.
    private var defaults: [DBCAttributeDefinition.Owner: [String: DBCAttributeValue]] = [:]
    private var problems: [DBCProblem] = []

    /// The most problems that are listed.
    private static let problemLimit = 10_000

    init(_ statements: DBCStatements) { self.statements = statements }

    consuming func database() throws(DBCError) -> DBCDatabase {
        try collectAttributes()
        var database = DBCDatabase()
        database.version = statements.version
        database.comment = statements.comments[.database]
        database.valueTables = statements.valueTables
        for statement in statements.messages {
            // A place for signals that belong to no message.
            if statement.name == "VECTOR__INDEPENDENT_SIG_MSG" { continue }
            database.messages.append(try message(statement))
        }
        findReferences(database.messages)
        database.attributeDefinitions = definitions
        database.attributes = attributes(of: .database, .database)
        database.nodes = statements.nodes.map { name in
            DBCNode(
                name: longName(name, .node(name), "SystemNodeLongSymbol"), comment: statements.comments[.node(name)],
                attributes: attributes(of: .node(name), .node))
        }
        database.environmentVariables = statements.variables.map { variable in
            let object = DBCStatements.Object.environmentVariable(variable.name)
            return DBCEnvironmentVariable(
                name: longName(variable.name, object, "SystemEnvVarLongSymbol"), type: variable.type,
                minimum: variable.minimum, maximum: variable.maximum, unit: variable.unit,
                initialValue: variable.initialValue, nodes: variable.nodes,
                byteCount: statements.variableSizes[variable.name], comment: statements.comments[object],
                attributes: attributes(of: object, .environmentVariable))
        }
        database.problems = problems
        database.index()
        return database
    }

    private mutating func report(_ kind: DBCProblem.Kind, _ message: String, _ place: DBCPlace) {
        if problems.count < Self.problemLimit {
            problems.append(
                DBCProblem(kind: kind, message: message, line: place.line, column: place.column))
        } else if problems.count == Self.problemLimit {
            problems.append(
                DBCProblem(
                    kind: kind, message: "there are more problems than are listed", line: place.line,
                    column: place.column))
        }
    }

    // MARK: Attributes

    private mutating func collectAttributes() throws(DBCError) {
        definitions = statements.definitions
        for (name, literal) in statements.defaults {
            guard let definition = definitions[name],
                let value = Self.value(literal, definition)
            else { continue }
            definitions[name]?.defaultValue = value
            defaults[definition.owner, default: [:]][name] = value
        }
        for attribute in statements.attributes {
            guard let definition = definitions[attribute.name] else {
                report(
                    .reference, "there is no attribute \"\(attribute.name.printable(limit: 80))\"", attribute.place)
                continue
            }
            guard let value = Self.value(attribute.literal, definition) else {
                throw DBCError(
                    .invalidValue,
                    "\"\(attribute.literal.text.printable(limit: 80))\" is no value of \(attribute.name.printable(limit: 80))",
                    line: attribute.place.line, column: attribute.place.column)
            }
            attributes[attribute.object, default: [:]][attribute.name] = value
        }
    }

    private static func value(
        _ literal: DBCStatements.Literal, _ definition: DBCAttributeDefinition
    ) -> DBCAttributeValue? {
        switch definition.kind {
        case .text: return .text(literal.text)
        case .number: return Double(literal.text).flatMap { $0.isFinite ? .number($0) : nil }
        case .integer, .hexadecimal: return whole(literal.text).map { .integer($0) }
        case .enumeration:
            // A value is written as its number, a default as its name.
            guard let index = whole(literal.text) else { return .text(literal.text) }
            guard !literal.isText || !definition.choices.contains(literal.text) else { return .text(literal.text) }
            guard let position = Int(exactly: index), definition.choices.indices.contains(position) else {
                return .integer(index)
            }
            return .text(definition.choices[position])
        }
    }

    /// Whole numbers are also written as `1e3` and `5.0`.
    private static func whole(_ text: String) -> Int64? {
        Int64(text) ?? Double(text).flatMap { Int64(exactly: $0.rounded(.towardZero)) }
    }

    private func attributes(
        of object: DBCStatements.Object, _ owner: DBCAttributeDefinition.Owner
    ) -> [String: DBCAttributeValue] {
        guard let own = attributes[object] else { return defaults[owner] ?? [:] }
        return (defaults[owner] ?? [:]).merging(own) { $1 }
    }

    /// Names of more than 32 characters stand in an attribute.
    private func longName(_ name: String, _ object: DBCStatements.Object, _ attribute: String) -> String {
        guard case .text(let long)? = attributes[object]?[attribute], !long.isEmpty else { return name }
        return long
    }

    // MARK: Messages

    private mutating func message(_ statement: DBCStatements.Message) throws(DBCError) -> DBCMessage {
        let isExtended = statement.number >> 31 == 1
        let number = statement.number & 0x7FFF_FFFF
        guard let id = isExtended ? CANIdentifier(extended: number) : CANIdentifier(standard: number) else {
            throw DBCError(
                .invalidValue, "\(statement.name) has a number of more than \(isExtended ? 29 : 11) bits",
                line: statement.place.line, column: statement.place.column)
        }
        let signals = try signals(of: statement)
        var indexByName: [String: Int] = [:]
        for (index, signal) in signals.enumerated() { indexByName[signal.name] = index }
        findOverlaps(statement, signals)

        let object = DBCStatements.Object.message(statement.number)
        let attributes = attributes(of: object, .message)
        var senders = [statement.sender]
        for sender in statements.senders[statement.number] ?? [] where !senders.contains(sender) {
            senders.append(sender)
        }
        let cycle = attributes["GenMsgCycleTime"]?.number ?? 0
        return DBCMessage(
            id: id, name: longName(statement.name, object, "SystemMessageLongSymbol"), byteCount: statement.byteCount,
            senders: senders.filter { $0 != "Vector__XXX" }.map { longName($0, .node($0), "SystemNodeLongSymbol") },
            signals: signals, cycleTime: cycle > 0 && cycle < 1e9 ? .milliseconds(Int64(cycle)) : nil,
            isFD: isFD(attributes["VFrameFormat"]), groups: statements.groups[statement.number] ?? [],
            comment: statements.comments[object], attributes: attributes, indexByName: indexByName)
    }

    /// An enumeration, or in some files its number.
    private func isFD(_ format: DBCAttributeValue?) -> Bool {
        switch format {
        case .text(let name): name.hasSuffix("CAN_FD")
        case .integer(let number): number == 14 || number == 15
        default: false
        }
    }

    private mutating func signals(of message: DBCStatements.Message) throws(DBCError) -> [DBCSignal] {
        // With one multiplexer the marks say all; with several the ranges say which signal goes with which.
        let multiplexers = message.signals.filter(\.isMultiplexer)
        let single = multiplexers.count == 1 ? multiplexers.first?.name : nil
        var known: [String: Int] = [:]
        var longNames: [String: String] = [:]
        for signal in message.signals {
            let object = DBCStatements.Object.signal(.init(message: message.number, signal: signal.name))
            longNames[signal.name] = longName(signal.name, object, "SystemSignalLongSymbol")
        }

        var signals: [DBCSignal] = []
        for statement in message.signals {
            guard known.updateValue(signals.count, forKey: statement.name) == nil else {
                report(
                    .duplicate, "\(message.name) has two signals \(statement.name); the first counts", statement.place)
                continue
            }
            let key = DBCStatements.SignalKey(message: message.number, signal: statement.name)
            let range = statements.ranges[key]?.value
            var multiplexing: DBCSignal.Multiplexing?
            if statement.mark != nil {
                if let single {
                    if statement.name != single {
                        var values: [ClosedRange<Int64>] = statement.markValue.map { [$0...$0] } ?? []
                        if let range, range.multiplexer == single { values += range.values }
                        multiplexing = .init(signal: longNames[single] ?? single, values: values)
                    }
                } else if let range {
                    multiplexing = .init(
                        signal: longNames[range.multiplexer] ?? range.multiplexer, values: range.values)
                }
                if multiplexing == nil, statement.markValue != nil, single != statement.name {
                    report(
                        .multiplexing, "\(statement.name) of \(message.name) has no multiplexer", statement.place)
                }
            }
            signals.append(try signal(statement, key, message, multiplexing, longNames[statement.name]))
        }
        return signals
    }

    private mutating func signal(
        _ statement: DBCStatements.Signal, _ key: DBCStatements.SignalKey, _ message: DBCStatements.Message,
        _ multiplexing: DBCSignal.Multiplexing?, _ longName: String?
    ) throws(DBCError) -> DBCSignal {
        let object = DBCStatements.Object.signal(key)
        var format = statement.isSigned ? DBCSignal.Format.signed : .unsigned
        if let type = statements.valueTypes[key], (1...2).contains(type.value) {
            format = .float
            guard statement.bitCount == 32 || statement.bitCount == 64 else {
                throw DBCError(
                    .invalidValue,
                    "\(statement.name) of \(message.name) is a floating-point number of \(statement.bitCount) bits instead of 32 or 64",
                    line: type.place.line, column: type.place.column)
            }
        }
        let hasBounds = statement.minimum != 0 || statement.maximum != 0
        let end =
            statement.isBigEndian
            ? DBCBits.bigEndianStart(statement.startBit) + statement.bitCount : statement.startBit + statement.bitCount
        let fits = end <= 8 * message.byteCount
        if !fits {
            report(.doesNotFit, "\(statement.name) does not fit into \(message.name)", statement.place)
        }
        let receivers = statement.receivers == ["Vector__XXX"] ? [] : statement.receivers
        return DBCSignal(
            name: longName ?? statement.name, startBit: statement.startBit, bitCount: statement.bitCount,
            byteOrder: statement.isBigEndian ? .bigEndian : .littleEndian, format: format, scale: statement.scale,
            offset: statement.offset, minimum: hasBounds ? statement.minimum : nil,
            maximum: hasBounds ? statement.maximum : nil, unit: statement.unit,
            choices: statements.choices[key]?.value ?? [:],
            receivers: receivers.map { self.longName($0, .node($0), "SystemNodeLongSymbol") },
            isMultiplexer: statement.isMultiplexer, multiplexing: multiplexing, comment: statements.comments[object],
            attributes: attributes(of: object, .signal), fits: fits)
    }

    // MARK: Contradictions

    /// Every pair of signals that share a bit and can be in one frame, once for each later signal.
    private mutating func findOverlaps(_ message: DBCStatements.Message, _ signals: [DBCSignal]) {
        let masks = signals.map { $0.fits ? DBCBits.bits(of: $0) : nil }
        var indexByName: [String: Int] = [:]
        for (index, signal) in signals.enumerated() { indexByName[signal.name] = index }
        // Signals that touch the same byte, so that only neighbours are compared.
        var byByte: [Int: [Int]] = [:]
        for (index, bits) in masks.enumerated() {
            guard let bits else { continue }
            var reported = false
            for byte in bits.keys.sorted() {
                for other in byByte[byte, default: []] where !reported {
                    guard let mask = bits[byte], let otherMask = masks[other]?[byte], mask & otherMask != 0,
                        Self.canMeet(index, other, signals, indexByName)
                    else { continue }
                    let place = message.signals.first { $0.name == signals[index].name }?.place ?? message.place
                    report(
                        .overlap,
                        "\(signals[index].name) and \(signals[other].name) overlap in \(message.name)", place)
                    reported = true
                }
                byByte[byte, default: []].append(index)
            }
        }
    }

    /// Whether two signals can be in one frame: no multiplexer above both has to have two values.
    private static func canMeet(
        _ first: Int, _ second: Int, _ signals: [DBCSignal], _ indexByName: [String: Int]
    ) -> Bool {
        func path(_ start: Int) -> [(String, [ClosedRange<Int64>])] {
            var path: [(String, [ClosedRange<Int64>])] = []
            var index = start
            while let above = signals[index].multiplexing, path.count < 64 {
                path.append((above.signal, above.values))
                guard let next = indexByName[above.signal] else { break }
                index = next
            }
            return path
        }
        let other = path(second)
        for (name, values) in path(first) {
            for (otherName, otherValues) in other where otherName == name {
                guard values.contains(where: { value in otherValues.contains { $0.overlaps(value) } }) else {
                    return false
                }
            }
        }
        return true
    }

    private mutating func findReferences(_ messages: [DBCMessage]) {
        var keys: Set<DBCStatements.SignalKey> = []
        var numbers: Set<UInt32> = []
        var names: Set<String> = []
        for message in statements.messages {
            if message.name != "VECTOR__INDEPENDENT_SIG_MSG" {
                if !numbers.insert(message.number).inserted {
                    report(.duplicate, "two messages have the number \(message.number)", message.place)
                }
                if !names.insert(message.name).inserted {
                    report(.duplicate, "two messages have the name \(message.name)", message.place)
                }
            }
            for signal in message.signals { keys.insert(.init(message: message.number, signal: signal.name)) }
        }
        var missing: [(DBCPlace, String)] = []
        for (key, table) in statements.choices where !keys.contains(key) && !table.value.isEmpty {
            missing.append(
                (table.place, "value names of \(key.signal) of the message \(key.message), which is not there"))
        }
        for (key, type) in statements.valueTypes where !keys.contains(key) {
            missing.append((type.place, "a type of \(key.signal) of the message \(key.message), which is not there"))
        }
        for (key, range) in statements.ranges where !keys.contains(key) {
            missing.append((range.place, "values of a multiplexer of \(key.signal), which is not there"))
        }
        for (key, range) in statements.ranges where keys.contains(key) {
            guard !keys.contains(.init(message: key.message, signal: range.value.multiplexer)) else { continue }
            missing.append((range.place, "the multiplexer \(range.value.multiplexer), which is not there"))
        }
        for (place, text) in missing.sorted(by: { ($0.0.line, $0.0.column) < ($1.0.line, $1.0.column) }) {
            report(.reference, text, place)
        }
    }
}
