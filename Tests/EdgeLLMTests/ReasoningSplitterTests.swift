import EdgeTemplate
import Foundation
import Testing

@testable import EdgeLLM

@Suite("Reasoning") struct ReasoningSplitterTests {
    /// Content and thought of an answer that comes in the given pieces.
    private func split(_ pieces: [String], _ marks: ReasoningMarks?) -> (reasoning: String, content: String) {
        var splitter = ReasoningSplitter(marks)
        var reasoning = ""
        var content = ""
        for piece in pieces.flatMap({ splitter.append($0) }) + splitter.finish() {
            switch piece {
            case .content(let text): content += text
            case .reasoning(let text): reasoning += text
            }
        }
        return (reasoning, content)
    }

    /// The same for a whole answer, with regular means: white space around the thought belongs to neither.
    private static func whole(_ answer: String, _ marks: ReasoningMarks) -> (reasoning: String, content: String) {
        let trimmed = answer.trimmingCharacters(in: .whitespacesAndNewlines)
        guard trimmed.hasPrefix(marks.begin) || marks.promptBegins else { return ("", answer) }
        var rest = Substring(answer.drop(while: \.isWhitespace))
        if rest.hasPrefix(marks.begin) { rest = rest.dropFirst(marks.begin.count) }
        let end = rest.firstRange(of: marks.end)
        let thought = rest[..<(end?.lowerBound ?? rest.endIndex)]
        let content = end.map { rest[$0.upperBound...].drop(while: \.isWhitespace) } ?? ""
        return (thought.trimmingCharacters(in: .whitespacesAndNewlines), String(content))
    }

    private static let answers = [
        "<think>why</think>so", " \n<think>\n why \n\n</think>\n\n so \n", "no thought", "  no thought  ", "<thin>k",
        "<think></think>", "<think>", "<think>open", "<think> a < b </thin </think>c</think>d", "", " \n", "<",
        "<think>ä😀</think>日本 <think>x</think>", "why</think>so", "</think>", "a</think", "<think>a</think> \n",
        "<think>a \n</think><think>b</think>",
    ]

    @Test("The cut is that of a whole answer, however the text comes", arguments: [false, true])
    func pieces(promptBegins: Bool) {
        let marks = ReasoningMarks(begin: "<think>", end: "</think>", promptBegins: promptBegins)
        for answer in Self.answers {
            let whole = Self.whole(answer, marks)
            for size in [1, 2, 3, 5, 100] {
                let characters = Array(answer)
                let pieces = stride(from: 0, to: characters.count, by: size).map {
                    String(characters[$0..<min($0 + size, characters.count)])
                }
                let result = split(pieces, marks)
                #expect(result.content == whole.content, "\(answer.debugDescription) by \(size)")
                #expect(result.reasoning == whole.reasoning, "\(answer.debugDescription) by \(size)")
            }
        }
    }

    @Test("What is certain comes at once")
    func holding() {
        var splitter = ReasoningSplitter(ReasoningMarks(begin: "<think>", end: "</think>"))
        #expect(splitter.append("<thi").isEmpty)
        #expect(splitter.append("nk>a b") == [.reasoning("a b")])
        #expect(splitter.append(" c </") == [.reasoning(" c")])
        #expect(splitter.append("b></think>\n") == [.reasoning(" </b>")])
        #expect(splitter.append(" x") == [.content("x")])
        #expect(splitter.append("</think>") == [.content("</think>")])
        #expect(splitter.finish().isEmpty)
    }

    @Test("Without marks all is content")
    func noMarks() {
        #expect(split([" <think>", "a</think>"], nil) == ("", " <think>a</think>"))
    }
}
