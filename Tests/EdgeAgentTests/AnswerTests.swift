import Foundation
import Testing

@testable import EdgeAgent

@Suite("Checks of answers") struct AnswerTests {
    @Test(
        "Numbers are what stands there, with letters and sign",
        arguments: [
            ("92.5 °C", ["92.5"]), ("P0301 and c0750", ["p0301", "c0750"]), ("70-110 bar", ["70", "110"]),
            ("at -40 or \u{2212}7.5", ["-40", "-7.5"]), ("1,500.25 km.", ["1,500.25"]), ("a 6-speed box", ["6"]),
            ("10s, 3.", ["10", "3"]), ("½ turn, x²", ["½", "x²"]), ("none", []), ("٣٤ degrees", ["٣٤"]),
            ("5%-6%", ["5", "6"]),
        ])
    func numbers(text: String, expected: [String]) {
        #expect(Numbers.all(in: text).map(\.text) == expected)
    }

    private func verdict(_ answer: String, _ sources: [String], passages: Int = 2) -> AgentRefusal? {
        var check = AnswerCheck(sources: sources, passageCount: passages)
        _ = check.append(answer)
        _ = check.finish()
        return check.refusal
    }

    @Test(
        "A number that stands nowhere is found",
        arguments: [
            ("It is 92 °C.", "CoolantTemp: 92.5 °C", ["92"]), ("It is 92.50 °C.", "CoolantTemp: 92.5 °C", ["92.50"]),
            ("It is 5 °C.", "OutsideTemp: -5 °C", ["5"]), ("It is -5 °C.", "OutsideTemp: 5 °C", ["-5"]),
            ("Code P0302.", "P0301 misfire", ["p0302"]), ("Code C0301.", "P0301", ["c0301"]),
            ("About 104.", "lowest 88 °C, highest 1045", ["104"]),
        ])
    func unsupported(answer: String, source: String, numbers: [String]) {
        #expect(verdict(answer, [source]) == .unsupportedNumbers(numbers))
    }

    @Test("Numbers that stand in a source, and citations, pass")
    func supported() {
        #expect(verdict("It is 92.5 °C [1], normal is 70 to 110 °C [2].", ["92.5 °C, normal (70 to 110 °C)"]) == nil)
        #expect(verdict("See [1, 2]. Code P0301.", ["p0301 misfire"]) == nil)
        #expect(verdict("It is 5.", ["never"], passages: 0) == .unsupportedNumbers(["5"]))
        #expect(verdict("See [3] and [1].", []) == .unknownCitations([3]))
        #expect(verdict("See [1].", [], passages: 0) == .unknownCitations([1]))
        #expect(verdict("See [0].", []) == .unknownCitations([0]))
        #expect(verdict("See [99999999999999999999].", []) != nil)
    }

    @Test("However an answer is cut into pieces, the same is shown, and nothing behind what is wrong")
    func pieces() {
        var generator = SystemRandomNumberGenerator()
        let sources = ["92.5 °C and P0301", "bring 3 or 4.25 litres"]
        for answer in [
            "The coolant is at 92.5 °C [1]. Bring 4.25 litres [1, 2].", "It is 93 °C. Stop.", "See [7] now.",
            "A \u{65}\u{301} and 92.5 e\u{301}.", "[1][2] [a] [", "92.5",
        ] {
            var whole = AnswerCheck(sources: sources, passageCount: 2)
            let expected = whole.append(answer) + whole.finish()
            if whole.refusal == nil { #expect(expected == answer) }
            for _ in 0..<200 {
                var check = AnswerCheck(sources: sources, passageCount: 2)
                var (shown, rest) = ("", answer.unicodeScalars[...])
                while !rest.isEmpty {
                    let count = Int.random(in: 1...5, using: &generator)
                    shown += check.append(String(rest.prefix(count)))
                    rest = rest.dropFirst(count)
                }
                shown += check.finish()
                #expect((check.refusal == nil) == (whole.refusal == nil))
                #expect(answer.hasPrefix(shown))
                if check.refusal == nil { #expect(shown == answer) }
                #expect(!shown.contains("93") && !shown.contains("[7]"))
            }
        }
    }

    @Test("Citations know their passage, their place and their sentence")
    func citations() throws {
        let passages = FixedRetriever(["one", "two"]).found
        let answer = "Ä lamp flashes [1]. Stop the car. [2] Then wait [1, 2]!"
        let found = Citations.resolved(in: answer, passages: passages)
        #expect(found.map(\.number) == [1, 2, 1, 2])
        #expect(found.map(\.passage.text) == ["one", "two", "one", "two"])
        let bytes = Array(answer.utf8)
        func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
        #expect(found.map { text($0.range) } == ["[1]", "[2]", "[1, 2]", "[1, 2]"])
        #expect(text(found[0].sentence) == "Ä lamp flashes [1].")
        #expect(text(found[1].sentence) == "Stop the car.")
        #expect(text(found[2].sentence) == "[2] Then wait [1, 2]!")
    }

    @Test("SHA-256 gives the published hashes")
    func hashes() {
        #expect(
            SHA256.hex([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        // FIPS 180-2, appendix B.
        #expect(
            SHA256.hex(Array("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            SHA256.hex(Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8))
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        #expect(
            SHA256.hex([UInt8](repeating: 0x61, count: 1_000_000))
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
        // Lengths around a block: sha256sum of GNU coreutils 9.1.
        let zeros = { SHA256.hex([UInt8](repeating: 0, count: $0)) }
        #expect(zeros(55) == "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7")
        #expect(zeros(56) == "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb")
        #expect(zeros(64) == "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b")
    }

    @Test(
        "Numbers in texts have no zeros at the end",
        arguments: [(2.0, "2"), (0.25, "0.25"), (1.5, "1.5"), (3.07, "3.07"), (-0.5, "-0.5")])
    func numberTexts(value: Double, text: String) { #expect(AgentText.number(value) == text) }
}
