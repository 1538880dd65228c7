import EdgeTestSupport
import Testing

@testable import EdgeCLI

@Suite("Line editing") struct LineEditorTests {
    /// The text after keys, with `|` at the cursor; outcomes before it.
    private func result(_ keys: String, history: [String] = []) -> String {
        var editor = LineEditor()
        for text in history { editor.remember(text) }
        var out = ""
        var outcome = editor.feed(Array(keys.utf8))
        while let current = outcome {
            out += "<\(current)>"
            outcome = editor.feed([])
        }
        return out + String(editor.characters[..<editor.cursor]) + "|" + String(editor.characters[editor.cursor...])
    }

    private static let left = "\u{1B}[D"
    private static let right = "\u{1B}[C"

    @Test(
        "Keys do what they say",
        arguments: [
            ("abc", "abc|"), ("abc\(left)\(left)X", "aX|bc"), ("abc\u{1}X\u{5}Y", "XabcY|"),
            ("abc\u{1B}[H\(right)X", "aX|bc"), ("abc\u{1B}[1~X\u{1B}[4~Y", "XabcY|"), ("abc\u{1B}OH\u{1B}OFZ", "abcZ|"),
            ("abc\u{7F}", "ab|"), ("abc\(left)\u{7F}", "a|c"), ("abc\(left)\u{1B}[3~", "ab|"), ("\u{7F}\u{8}", "|"),
            ("ab cd\(left)\u{B}", "ab c|"), ("ab cd\(left)\u{15}", "|d"), ("ab cd  \u{17}x", "ab x|"),
            ("ab cd\u{1B}b\u{1B}d", "ab |"), ("\(right)\(left)a", "a|"), ("a\u{3}b", "<abandoned>b|"),
            ("\u{4}", "<end>|"), ("ab\u{1}\u{4}", "|b"), ("a\u{C}", "<clearScreen>a|"),
            ("a\rb\r", "<text(\"a\")><text(\"b\")>|"),
            ("a\\\rb\r", "<text(\"a\\nb\")>|"), ("a\u{1B}\rb", "a\nb|"), ("\u{1B}[99;9Xa", "a|"),
            ("\u{1B}[Za\u{1B}Q", "a|"),
            ("\u{1B}[200~a\nb\r\nc\u{3}\u{1B}[A\u{1B}[201~d", "a\nb\nc\u{3}\u{1B}[Ad|"),
            ("日本\(left)x", "日x|本"), ("e\u{301}\u{7F}", "|"), ("👨‍👩‍👧a\(left)\u{7F}", "|a"),
            ("e\u{301}\(left)x", "x|e\u{301}"),
        ])
    func keys(keys: String, expected: String) { #expect(result(keys) == expected, "\(keys.debugDescription)") }

    @Test("Up and down walk through what was said and come back to what was begun")
    func history() {
        let up = "\u{1B}[A"
        let down = "\u{1B}[B"
        let past = ["one", "two"]
        #expect(result("x\(up)", history: past) == "two|")
        #expect(result("x\(up)\(up)\(up)", history: past) == "one|")
        #expect(result("x\(up)\(up)\(down)\(down)\(down)y", history: past) == "xy|")
        #expect(result("a\r\(up)", history: past) == "<text(\"a\")>a|")
        #expect(result("\u{10}\u{10}\u{E}", history: past) == "two|")
    }

    @Test("Bytes may come in any pieces, and none of them crash it")
    func pieces() {
        let keys = "a日\u{1B}[D😀\u{1B}[200~x\ny\u{1B}[201~\u{1B}[1;5D\u{7F}e\u{301}"
        for size in 1...5 {
            var editor = LineEditor()
            let bytes = Array(keys.utf8)
            for start in stride(from: 0, to: bytes.count, by: size) {
                _ = editor.feed(Array(bytes[start..<min(start + size, bytes.count)]))
            }
            let whole = String(result(keys).filter { $0 != "|" })
            #expect(editor.text == whole, "in pieces of \(size)")
        }
        var random = SplitMix(seed: 5)
        for _ in 0..<300 {
            var editor = LineEditor()
            for _ in 0..<40 {
                let bytes = (0..<Int(random.next() % 7)).map { _ in
                    [0x1B, 0x5B, 0x7F, 0x0D, 0x41, 0x7E, 0xE6, 0x97, UInt8(truncatingIfNeeded: random.next())][
                        Int(random.next() % 9)]
                }
                _ = editor.feed(bytes)
                #expect((0...editor.characters.count).contains(editor.cursor))
            }
        }
    }

    @Test("Rows are cut where the terminal wraps, wide characters whole")
    func layout() {
        func view(_ text: String, _ cursor: Int, columns: Int = 6, height: Int = 10) -> LineView {
            LineView(prompt: "> ", Array(text), cursor: cursor, columns: columns, height: height)
        }
        #expect(view("abcdef", 6).rows == ["> abcd", "ef"])
        #expect(
            view("abcd", 4).rows == ["> abcd", ""] && view("abcd", 4).cursorRow == 1
                && view("abcd", 4).cursorColumn == 0)
        #expect(view("日本語", 3).rows == ["> 日本", "語"] && view("日本語", 1).cursorColumn == 4)
        #expect(view("abc日", 4).rows == ["> abc", "日"] && view("abc日", 3).cursorRow == 1)
        #expect(view("a\nb", 1).rows == ["> a", "b"] && view("a\nb", 1).cursorColumn == 3)
        #expect(view("\u{1B}[2J\t", 0, columns: 20).rows == ["> ^[[2J    "])
        let tall = view(String(repeating: "x\n", count: 50), 100, height: 4)
        #expect(tall.rows.count == 4 && tall.cursorRow == 3)
        #expect(Character("e\u{301}").columns == 1 && Character("👨‍👩‍👧").columns == 2 && Character("\u{200B}").columns == 0)
    }
}
