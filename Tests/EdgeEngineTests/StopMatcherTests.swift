import EdgeTestSupport
import Testing

@testable import EdgeEngine

@Suite("Stop sequences") struct StopMatcherTests {
    /// Where the first sequence begins in the whole text, found the plain way.
    private func plain(_ text: String, _ sequences: [String]) -> (shown: String, isStopped: Bool) {
        let bytes = Array(text.utf8)
        for start in bytes.indices {
            for sequence in sequences where bytes[start...].starts(with: Array(sequence.utf8)) {
                return (String(decoding: bytes[..<start], as: UTF8.self), true)
            }
        }
        return (text, false)
    }

    @Test("However a text is cut into pieces, it ends where the first sequence begins")
    func cuts() {
        var random = SplitMix(seed: 5)
        for _ in 0..<3000 {
            let text = String(
                (0..<Int.random(in: 0..<16, using: &random)).map { _ in "ab\nü".randomElement(using: &random)! })
            let sequences = (0..<2).map { _ in
                String((0..<Int.random(in: 0..<4, using: &random)).map { _ in "ab\nü".randomElement(using: &random)! })
            }
            var matcher = StopMatcher(sequences)
            var shown = ""
            var isStopped = false
            var rest = text[...]
            while !rest.isEmpty, !isStopped {
                let length = Int.random(in: 1...3, using: &random)
                let (piece, stopped) = matcher.append(String(rest.prefix(length)))
                rest = rest.dropFirst(length)
                shown += piece
                isStopped = stopped
            }
            if !isStopped { shown += matcher.finish() }
            let expected = plain(text, sequences.filter { !$0.isEmpty })
            #expect(shown == expected.shown && isStopped == expected.isStopped, "\(text.debugDescription) \(sequences)")
        }
    }

    @Test("Only what may begin a sequence is held back")
    func holdsBackLittle() {
        var matcher = StopMatcher(["\nUser:"])
        #expect(matcher.append("Hello").text == "Hello")
        #expect(matcher.append("\nUs").text == "")
        #expect(matcher.append("ual").text == "\nUsual")
        let last = matcher.append("!\nUser: no")
        #expect(last.text == "!" && last.isStopped)
    }
}
