import EdgeTestSupport
import Testing

@testable import EdgeTokenizer

/// Texts that make a careless tokenizer quadratic.
@Suite("Repetition", .serialized, .enabled(if: SharedData.isPresent, "\(SharedData.reason)"))
struct RepetitionTests {
    static let units = ["a", " ", "\n", "7", "ab", "\u{4E2D}", "<", "'", "a "]

    private static func seconds(_ tokenizer: Tokenizer, _ unit: String, _ size: Int) -> Double {
        let text = Array(String(repeating: unit, count: size / unit.utf8.count).utf8)
        let clock = ContinuousClock()
        let time = clock.measure { _ = tokenizer.encode(bytes: text, addSpecial: false, parseSpecial: true) }
        return Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
    }

    /// Sixteen times the text takes sixteen times as long, or 256 times in a quadratic step; 96 leaves room for a busy
    /// machine. The base is at least two milliseconds, so that it is no measurement of nothing, and the long text has three
    /// tries.
    @Test("A megabyte of one letter takes time in proportion", arguments: Recorded.names)
    func proportional(_ name: String) throws {
        let tokenizer = try Recorded.tokenizer(name)
        for unit in Self.units {
            let short = max(0.002, (0..<3).map { _ in Self.seconds(tokenizer, unit, 1 << 16) }.min() ?? 0)
            let isLinear = (0..<3).contains { _ in Self.seconds(tokenizer, unit, 1 << 20) < 96 * short }
            #expect(isLinear, "\(unit.debugDescription): 64 kB took \(short) s")
        }
    }
}
