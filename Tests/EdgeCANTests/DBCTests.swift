import EdgeCAN
import EdgeTestSupport
import Foundation
import Testing

@Suite("DBC files") struct DBCTests {
    private func parse(_ text: String, strict: Bool = false) throws -> DBCDatabase {
        try DBCDatabase(parsing: Array(text.utf8), strict: strict)
    }

    private func features() throws -> [UInt8] {
        Array(try Data(contentsOf: fixtures.appendingPathComponent("can/features.dbc")))
    }

    @Test("All that a file says is there")
    func everything() throws {
        let database = try DBCDatabase(parsing: features(), strict: true)
        #expect(database.problems.isEmpty && database.version == "1.0" && database.comment == "Made for tests.")
        #expect(database.nodes.map(\.name) == ["Engine", "Brake", "Body"])
        #expect(database.nodes[0].comment == "Says \"all\"\non two lines.")
        #expect(database.valueTables == ["OnOff": [0: "off", 1: "on"]])
        #expect(database.attributes == ["BusType": .text("CAN FD")])
        #expect(database.messages.count == 7)
        let numbers = try #require(database.message(named: "Numbers"))
        #expect(numbers.senders == ["Engine", "Brake"] && numbers.comment == "Numbers of all kinds")
        #expect(numbers.cycleTime == .milliseconds(100) && !numbers.isFD)
        #expect(numbers.groups.map(\.name) == ["Together"] && numbers.groups[0].signalNames == ["Unsigned", "Signed"])
        #expect(database.message(named: "Motorola")?.cycleTime == .milliseconds(20))
        #expect(database.message(named: "Floats")?.cycleTime == nil)
        #expect(database.message(named: "Flexible")?.isFD == true)
        let mode = try #require(numbers.signal(named: "Mode"))
        #expect(mode.comment == "What it does" && mode.attributes["Weight"] == .number(2.5))
        #expect(mode.choices == [0: "off", 1: "on", 2: "on", 15: "not available"])
        let unsigned = try #require(numbers.signal(named: "Unsigned"))
        #expect(unsigned.unit == "°C" && unsigned.minimum == -40 && unsigned.maximum == 983.75)
        #expect(unsigned.attributes["Weight"] == .number(1.5) && unsigned.receivers == ["Brake", "Body"])
        #expect(numbers.signal(named: "MissingWithANameOfMoreThanThirtyTwoCharacters")?.minimum == nil)
        #expect(numbers.signal(named: "MissingWithANameOfMoreThanThirtyTwoCharacters")?.receivers == [])
        #expect(try database.message(#require(CANIdentifier(extended: 0x18FE_F1FE)))?.name == "Extended")
        #expect(database.environmentVariables.map(\.name) == ["Switch"])
        let nested = try #require(database.message(named: "Nested"))
        #expect(nested.signal(named: "InnerB")?.multiplexing?.signal == "Inner")
        #expect(nested.signal(named: "InnerB")?.multiplexing?.values == [1...1, 5...7])
    }

    @Test("Windows-1252 is read where a file is not UTF-8")
    func encodings() throws {
        let text = "BO_ 1 A: 1 B\n SG_ C : 0|8@1+ (1,0) [0|0] \"#C\" X\n"
        let bytes = text.utf8.map { $0 == UInt8(ascii: "#") ? 0xB0 : $0 }
        #expect(try DBCDatabase(parsing: bytes).messages[0].signals[0].unit == "°C")
        #expect(try DBCDatabase(parsing: bytes.map { $0 == 0xB0 ? 0x80 : $0 }).messages[0].signals[0].unit == "€C")
        #expect(try DBCDatabase(parsing: [0xEF, 0xBB, 0xBF] + Array(text.utf8)).messages.count == 1)
    }

    @Test("Every bit of every signal of up to 64 bits is found and written", arguments: [true, false])
    func bits(isBigEndian: Bool) throws {
        var generator = SplitMix64(seed: 5)
        for start in 0..<64 {
            for count in [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64] {
                let first = isBigEndian ? start / 8 * 8 + 7 - start % 8 : start
                guard first + count <= 80 else { continue }
                let database = try parse(
                    "BO_ 1 A: 10 B\n SG_ C : \(start)|\(count)@\(isBigEndian ? 0 : 1)+ (1,0) [0|0] \"\" X\n")
                let message = database.messages[0]
                let value = count == 64 ? generator.next() : generator.next() % (1 << UInt64(count))
                let data = try message.encode(["C": .raw(.unsigned(value))])
                #expect(try message.decode(data)["C"]?.raw == .unsigned(value))
                // The plain way: bit by bit.
                var plain: UInt64 = 0
                for bit in 0..<count {
                    let place = isBigEndian ? first + bit : first + count - 1 - bit
                    let shift = isBigEndian ? 7 - place % 8 : place % 8
                    plain = plain << 1 | UInt64(data[place / 8] >> UInt8(shift) & 1)
                }
                #expect(plain == value)
                #expect(data.reduce(0) { $0 + $1.nonzeroBitCount } == value.nonzeroBitCount)
            }
        }
    }

    @Test("What bits cannot hold, and what is missing, is not encoded")
    func encoding() throws {
        let database = try DBCDatabase(parsing: features())
        let message = try #require(database.message(named: "Multiplexed"))
        #expect(
            throws: DBCCodingError.unknownMultiplexerValue(message: "Multiplexed", signal: "Page", value: 4)
        ) { try message.encode(["Page": .physical(4), "Always": .physical(0)]) }
        #expect(throws: DBCCodingError.missingSignal(message: "Multiplexed", signal: "Always")) {
            try message.encode(["Page": .choice("nothing")])
        }
        #expect(throws: DBCCodingError.unknownChoice(message: "Multiplexed", signal: "Page", choice: "x")) {
            try message.encode(["Page": .choice("x"), "Always": .physical(0)])
        }
        #expect(
            try message.encode(["Page": .choice("nothing"), "Always": .physical(7)]) == [0x72, 0, 0, 0, 0, 0, 0, 0])
        #expect(throws: DBCCodingError.self) { try message.decode([0x74, 0, 0, 0, 0, 0, 0, 0]) }
        #expect(throws: DBCCodingError.tooShort(message: "Multiplexed", byteCount: 1, expected: 8)) {
            try message.decode([0])
        }
        #expect(try message.decode([0x73, 1, 0], allowingTruncated: true).keys.sorted() == ["Always", "Page"])
        for value in [16, -1, .infinity, .nan, 1e300] as [Double] {
            #expect(throws: DBCCodingError.self) {
                try message.encode(["Page": .choice("nothing"), "Always": .physical(value)])
            }
        }
        // Halves go to the even number.
        #expect(try message.encode(["Page": .physical(2), "Always": .physical(2.5)])[0] == 0x22)
        #expect(try message.encode(["Page": .physical(2), "Always": .physical(3.5)])[0] == 0x42)
    }

    @Test(
        "Defects are errors that say where",
        arguments: [
            ("BO_ 1 A: 8 B\n SG_ C : 0|65@1+ (1,0) [0|0] \"\" X", 2, 12),
            ("BO_ 1 A: 8 B\n SG_ C : 0|0@1+ (1,0) [0|0] \"\" X", 2, 12),
            ("BO_ 1 A: 8 B\n SG_ C x : 0|1@1+ (1,0) [0|0] \"\" X", 2, 8),
            ("BO_ 1 A: 8 B\n SG_ C : 0|1@2+ (1,0) [0|0] \"\" X", 2, 14),
            ("BO_ 1 A: 8 B\n SG_ C : 0|1@1 (1,0) [0|0] \"\" X", 2, 16),
            ("BO_ 1 A: 8 B\n SG_ C : 0|1@1+ (1,) [0|0] \"\" X", 2, 20),
            ("BO_ 1 A: 8 B\n SG_ C : 0|1@1+ (1e999,0) [0|0] \"\" X", 2, 18),
            ("BO_ 1 A: 8 B\n SG_ C : 0|1@1+ (1,0) [0|0] \"\"", 2, 31),
            ("BO_ 2048 A: 8 B", 1, 10), ("BO_ 4294967295 A: 8 B", 1, 16), ("BO_ 4294967296 A: 8 B", 1, 5),
            ("BO_ -1 A: 8 B", 1, 5), ("BO_ 1 A: 99999 B", 1, 10), ("VERSION \"", 1, 9), ("VERSION \"ä\" é", 1, 13),
            ("FOO_ 1;", 1, 1), ("\"text\"", 1, 1), ("CM_ \"a\"", 1, 8), ("VAL_ 1 A 1 \"x\"", 1, 15),
            ("VAL_ 1 A 1.5 \"x\";", 1, 10),
            ("SG_MUL_VAL_ 1 A B 5-3;", 1, 20), ("BA_DEF_ \"A\" FOO;", 1, 13),
            ("BA_DEF_ \"A\" INT 0 9;\nBA_ \"A\" \"x\";", 2, 1),
            ("SIG_VALTYPE_ 1 A : 9;", 1, 20),
            ("BO_ 1 A: 8 B\n SG_ C : 0|16@1+ (1,0) [0|0] \"\" X\nSIG_VALTYPE_ 1 C : 1;", 3, 1),
        ])
    func defects(_ text: String, _ line: Int, _ column: Int) throws {
        let error = #expect(throws: DBCError.self) { try parse(text) }
        #expect(error?.line == line && error?.column == column, "\(String(describing: error))")
    }

    @Test(
        "Problems are listed, and refused where it is asked for",
        arguments: [
            (" SG_ C : 0|8@1+ (1,0) [0|0] \"\" X\n SG_ D : 7|1@1+ (1,0) [0|0] \"\" X", DBCProblem.Kind.overlap),
            (" SG_ C : 60|8@1+ (1,0) [0|0] \"\" X", .doesNotFit), (" SG_ C : 56|9@0+ (1,0) [0|0] \"\" X", .doesNotFit),
            (" SG_ C m1 : 0|8@1+ (1,0) [0|0] \"\" X", .multiplexing),
            (" SG_ C : 0|8@1+ (1,0) [0|0] \"\" X\n SG_ C : 8|8@1+ (1,0) [0|0] \"\" X", .duplicate),
            ("VAL_ 1 D 0 \"x\";", .reference), ("SIG_VALTYPE_ 1 D : 1;", .reference), ("BA_ \"D\" 1;", .reference),
            ("SG_MUL_VAL_ 1 D E 0-1;", .reference), ("BO_ 1 C: 8 B", .duplicate), ("BO_ 2 A: 8 B", .duplicate),
        ])
    func problems(_ text: String, _ kind: DBCProblem.Kind) throws {
        let whole = "BO_ 1 A: 8 B\n\(text)\n"
        let database = try parse(whole)
        #expect(database.problems.map(\.kind) == [kind], "\(database.problems)")
        let error = #expect(throws: DBCError.self) { try parse(whole, strict: true) }
        #expect(error?.code == .contradiction && error?.line == database.problems.first?.line)
    }

    @Test("Signals of different pages do not overlap, those of one page do")
    func pages() throws {
        let start = "BO_ 1 A: 8 B\n SG_ M M : 0|8@1+ (1,0) [0|0] \"\" X\n SG_ C m1 : 8|8@1+ (1,0) [0|0] \"\" X\n"
        #expect(try parse(start + " SG_ D m2 : 8|8@1+ (1,0) [0|0] \"\" X\n").problems.isEmpty)
        #expect(try parse(start + " SG_ D m1 : 8|8@1+ (1,0) [0|0] \"\" X\n").problems.count == 1)
        #expect(try parse(start + " SG_ D : 8|8@1+ (1,0) [0|0] \"\" X\n").problems.count == 1)
    }

    @Test("Bounds hold")
    func bounds() throws {
        let signal = { (index: Int) in " SG_ S\(index) m\(index) : 8|8@1+ (1,0) [0|0] \"\" X\n" }
        let head = "BO_ 1 A: 8 B\n SG_ M M : 0|8@1+ (1,0) [0|0] \"\" X\n"
        #expect(try parse(head + (1..<2048).map(signal).joined()).messages[0].signals.count == 2048)
        let error = #expect(throws: DBCError.self) { try parse(head + (1...2048).map(signal).joined()) }
        #expect(error?.code == .tooLarge)
        let large = #expect(throws: DBCError.self) {
            try DBCDatabase(parsing: [UInt8](repeating: 32, count: DBCDatabase.byteLimit + 1))
        }
        #expect(large?.code == .tooLarge)
        // A range as wide as there is takes no memory.
        let wide = try parse(
            head + " SG_ N m1M : 8|8@1+ (1,0) [0|0] \"\" X\n SG_ P m2 : 16|8@1+ (1,0) [0|0] \"\" X\n"
                + "SG_MUL_VAL_ 1 P M 0-9223372036854775807;\nSG_MUL_VAL_ 1 N M 1-1;\n")
        #expect(try wide.messages[0].decode([9, 0, 7, 0, 0, 0, 0, 0]).keys.sorted() == ["M", "P"])
    }

    /// More with `EDGE_DBC_FILES`.
    private static let damagedCount = ProcessInfo.processInfo.environment["EDGE_DBC_FILES"].flatMap { Int($0) } ?? 3000

    @Test("Damaged files are refused or read, and what is read can be decoded")
    func damage() throws {
        let start = try features()
        var generator = SplitMix64(seed: 11)
        var read = 0
        for _ in 0..<Self.damagedCount {
            var bytes = start
            for _ in 0...generator.next() % 4 {
                let at = Int(generator.next() % UInt64(bytes.count))
                let other = Int(generator.next() % UInt64(bytes.count))
                switch generator.next() % 5 {
                case 0: bytes[at] = UInt8(truncatingIfNeeded: generator.next())
                case 1: bytes.remove(at: at)
                case 2: bytes.insert(bytes[other], at: at)
                case 3: bytes.removeSubrange(min(at, other)..<min(max(at, other), min(at, other) + 40))
                default: bytes[at] = Array("0123456789-mM|@\"; \n".utf8)[Int(generator.next() % 19)]
                }
            }
            guard let database = try? DBCDatabase(parsing: bytes) else { continue }
            read += 1
            for message in database.messages {
                let data = (0..<message.byteCount).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
                if let values = try? message.decode(data) {
                    _ = try? message.encode(values.mapValues { .raw($0.raw) })
                }
                for signal in message.signals { _ = message.value(of: signal, in: data) }
            }
        }
        #expect(read > Self.damagedCount / 10 && read < Self.damagedCount * 29 / 30, "\(read)")
    }
}
