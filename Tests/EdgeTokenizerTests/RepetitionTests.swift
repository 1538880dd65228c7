import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeTokenizer

/// Texts that make a careless tokenizer quadratic.
///
/// Sixteen times the text takes sixteen times as long, or 256 times in a quadratic step; 96 leaves room for a busy machine. The
/// base is at least two milliseconds, so that it is no measurement of nothing, and the long text has three tries. What counts is this
/// thread's time on a processor: the tests beside this one take turns with it.
@Suite("Repetition", .serialized)
struct RepetitionTests {
    static let units = ["a", " ", "\n", "7", "ab", "\u{4E2D}", "<", "'", "a "]

    private static func seconds(_ unit: String, _ size: Int, _ work: ([UInt8]) -> Void) -> Double {
        let text = Array(String(repeating: unit, count: size / unit.utf8.count).utf8)
        let start = threadSeconds
        work(text)
        return threadSeconds - start
    }

    private static var threadSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    private static func check(_ units: [String], _ size: Int, _ label: String, _ work: ([UInt8]) -> Void) {
        for unit in units {
            let short = max(0.002, (0..<3).map { _ in seconds(unit, size / 16, work) }.min() ?? 0)
            let isLinear = (0..<3).contains { _ in seconds(unit, size, work) < 96 * short }
            #expect(isLinear, "\(label), \(unit.debugDescription): a sixteenth took \(short) s")
        }
    }

    @Test(
        "A megabyte of one letter takes time in proportion", .enabled(if: SharedData.isPresent, "\(SharedData.reason)"),
        arguments: Recorded.names)
    func recorded(_ name: String) throws {
        let tokenizer = try Recorded.tokenizer(name)
        Self.check(Self.units, 1 << 20, name) {
            _ = tokenizer.encode(bytes: $0, addSpecial: false, parseSpecial: true)
        }
    }

    @Test(
        "A megabyte of one letter takes time in proportion, in small vocabularies too", arguments: ["unigram", "rwkv"])
    func small(_ name: String) throws {
        let tokenizer = try SmallVocabularyTests.tokenizer(#require(SmallVocabularyTests.families()[name]))
        Self.check(Self.units, 1 << 20, name) {
            _ = tokenizer.encode(bytes: $0, addSpecial: false, parseSpecial: true)
        }
    }

    @Test("User-defined tokens for runs of one letter take time in proportion")
    func runs() throws {
        var vocabulary = MalformedVocabularyTests.small("gpt2")
        for length in 2...31 { vocabulary.tokens.append(String(repeating: "a", count: length).utf8) }
        vocabulary.types = [2, 3, 3, 1, 1, 1, 1, 6] + [Int32](repeating: 4, count: 30)
        vocabulary.scores = nil
        let tokenizer = try Tokenizer(vocabulary)
        #expect(
            tokenizer.encode(String(repeating: "a", count: 65), addSpecial: false, parseSpecial: false) == [37, 37, 9])
        Self.check(["a", "ab"], 1 << 20, "runs") {
            _ = tokenizer.encode(bytes: $0, addSpecial: false, parseSpecial: false)
        }
    }

    @Test("Every pre-tokenizer cuts repetitions in proportion")
    func patterns() throws {
        for name in PreTokenizer.names {
            let pre = try #require(PreTokenizer.named(name))
            Self.check(
                ["A", "a", " ", "\n", "1", "!", "\u{301}", "\u{4E2D}", "<sentinel:", "IMGIMG", "a b"], 1 << 17, name
            ) {
                var text = ScalarText()
                text.read($0, 0..<$0.count, CharacterTable.stages)
                var ends: [Int] = []
                var scratch: [Int] = []
                pre.split(text, &ends, &scratch)
            }
        }
    }
}
