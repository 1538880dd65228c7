import EdgeTemplate
import Testing

@testable import EdgeLLM

@Suite("Answer splitter") struct AnswerSplitterTests {
    private static let hermes = ToolSyntax(
        mark: "<tool_call>", prefix: "\n{\"name\": \"", middle: "\", \"arguments\": ", suffix: "}\n</tool_call>",
        join: "}\n</tool_call>\n<tool_call>\n{\"name\": \"")
    private static let tagged = ToolSyntax(
        mark: "<tool_call>", prefix: "\n<function=", middle: "",
        arguments: .tagged(before: ">\n<parameter=", middle: ">\n", after: "\n</parameter"),
        suffix: ">\n</function>\n</tool_call>", join: ">\n</function>\n</tool_call>\n<tool_call>\n<function=")
    private static let mistral = ToolSyntax(
        mark: "[TOOL_CALLS]", prefix: "", middle: "[ARGS]", suffix: "", join: "[TOOL_CALLS]")

    /// The answer cut at every place into two, or into single characters; all must read the same.
    private func read(_ text: String, _ form: AnswerForm) -> (content: String, reasoning: String, calls: [String]) {
        var results: [[AnswerSplitter.Piece]] = []
        let characters = Array(text)
        for cut in 0...characters.count + 1 {
            var splitter = AnswerSplitter(form)
            var pieces: [AnswerSplitter.Piece] = []
            if cut > characters.count {
                for character in characters { pieces += splitter.append(String(character)) }
            } else {
                pieces += splitter.append(String(characters[..<cut])) + splitter.append(String(characters[cut...]))
            }
            results.append(pieces + splitter.finish())
        }
        let first = Self.sum(results[0])
        for result in results { #expect(Self.sum(result) == first, "\(text)") }
        return first
    }

    private static func sum(
        _ pieces: [AnswerSplitter.Piece]
    ) -> (content: String, reasoning: String, calls: [String]) {
        var sum: (content: String, reasoning: String, calls: [String]) = ("", "", [])
        var call: String?
        for piece in pieces {
            if call != nil, case .content = piece { Issue.record("content within a call") }
            switch piece {
            case .content(let text): sum.content += text
            case .reasoning(let text): sum.reasoning += text
            case .call(.begin(let name)):
                #expect(call == nil)
                call = name + " "
            case .call(.arguments(let text)): call? += text
            case .call(.end(let isWhole)):
                if let call { sum.calls.append(call + (isWhole ? "" : " !")) } else { Issue.record("no call is open") }
                call = nil
            }
        }
        #expect(call == nil)
        return sum
    }

    @Test("Calls of each form are read, wherever the text is cut")
    func forms() {
        let form = AnswerForm(calls: Self.hermes)
        let call = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"}</tool_call>é\"}}\n</tool_call>"
        let arguments = #"f {"a": "}</tool_call>é"}"#
        #expect(read(call, form) == ("", "", [arguments]))
        #expect(read("Hi.\n\(call)\n\(call)\n", form) == ("Hi.", "", [arguments, arguments]))
        #expect(read("\(call) And so.", form) == (" And so.", "", [arguments]))
        #expect(read("a \(call) b \(call)", form).calls.count == 2)

        let thinking = AnswerForm(reasoning: .init(begin: "<think>", end: "</think>"), calls: Self.hermes)
        #expect(read("<think>\n<tool_call>?</think>\n\n\(call)", thinking) == ("", "<tool_call>?", [arguments]))

        let tags = AnswerForm(calls: Self.tagged, argumentForms: ["f": ["s": .text, "l": .nested]])
        #expect(
            read(
                "<tool_call>\n<function=f>\n<parameter=s>\n12\n</parameter>\n<parameter=n>\n[1, {\"a\": 2}]\n</parameter>\n</function>\n</tool_call>",
                tags) == ("", "", [#"f {"s":"12","n":[1,{"a":2}]}"#]))
        #expect(read("<tool_call>\n<function=f>\n</function>\n</tool_call>", tags) == ("", "", ["f {}"]))
        func argument(_ key: String, _ value: String) -> String {
            "<tool_call>\n<function=f>\n<parameter=\(key)>\n\(value)\n</parameter>\n</function>\n</tool_call>"
        }
        #expect(
            read(argument("s", "\n<a>\"é\\\n</param"), tags)
                == ("", "", [##"f {"s":"\n<a>\"é\\\n</param"}"##]))
        // A list is read as JSON, whatever its texts hold; what is none is told of as broken.
        #expect(
            read(argument("l", #"["]", "\n</parameter>", [{}]]"#), tags)
                == ("", "", [#"f {"l":["]", "\n</parameter>", [{}]]}"#]))
        #expect(read(argument("l", "[1] 2"), tags).calls == [#"f {"l":[1] !"#])
        #expect(read(argument("o", "[1] 2"), tags).calls == [#"f {"o":"[1] 2"}"#])
        #expect(read("<tool_call>\n<function=f>\n<parameter=s>\n1\n</para", tags).calls == [#"f {"s":"1\n</para !"#])

        let args = AnswerForm(calls: Self.mistral)
        #expect(read("[TOOL_CALLS]f[ARGS]{\"a\": 1}[TOOL_CALLS]g[ARGS]{}", args) == ("", "", [#"f {"a": 1}"#, "g {}"]))

        let plain = AnswerForm(calls: .generic)
        let line = #"{"name": "f", "arguments": {"a": 1}}"#
        #expect(read("\(line)\n\(line)", plain) == ("", "", [#"f {"a": 1}"#, #"f {"a": 1}"#]))
        #expect(read(" { \"name\":\"f\",\n\"arguments\" :{}} ", plain) == ("", "", ["f {}"]))
        #expect(read("See \(line)", plain) == ("See \(line)", "", []))
        #expect(read(#"{"names": 1}"#, plain) == (#"{"names": 1}"#, "", []))
    }

    @Test("What is no call is content, every character of it")
    func noCalls() {
        let form = AnswerForm(calls: Self.hermes)
        for text in [
            "", " ", "a", "<tool", "a <tool_call", "<tool_call>", "<tool_call> is a mark", "x<tool_call><tool_call>y",
            "<tool_call>\n{\"nam", "</tool_call>", "<<tool_call>>", "é<tool_calé",
        ] {
            #expect(read(text, form) == (text, "", []), "\(text)")
        }
        // A name and no whole arguments: the call is told of, so that the model can be told.
        #expect(read("<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": ", form).calls == [#"f {"a":  !"#])
    }

    @Test("A mark that is a token opens as a token alone, and no text is taken for it")
    func marks() {
        let form = AnswerForm(
            reasoning: .init(begin: "<think>", end: "</think>"), calls: Self.hermes, openings: [],
            marks: [7: "<tool_call>", 8: "</tool_call>"])
        let body = "\n{\"name\": \"f\", \"arguments\": {}}\n"
        #expect(read("<tool_call>\(body)</tool_call>", form) == ("<tool_call>\(body)</tool_call>", "", []))
        var splitter = AnswerSplitter(form)
        var pieces = splitter.append("Hm. ") + splitter.append(mark: 7) + splitter.append(body)
        pieces += splitter.append(mark: 8) + splitter.finish()
        #expect(
            pieces == [
                .content("Hm."), .content(" "), .call(.begin(name: "f")), .call(.arguments("{}")),
                .call(.end(isWhole: true)),
            ])
        // In a thought it is part of the thought.
        splitter = AnswerSplitter(form)
        pieces = splitter.append("<think>a") + splitter.append(mark: 7) + splitter.append("b</think>c")
        pieces += splitter.finish()
        #expect(pieces.contains(.content("c")) && !pieces.contains { if case .call = $0 { true } else { false } })
    }

    @Test("An answer that begins within a call is read as one")
    func opened() {
        let form = AnswerForm(calls: Self.hermes, isOpened: true)
        #expect(read("\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>", form) == ("", "", ["f {}"]))
        let plain = AnswerForm(calls: .generic, isOpened: true)
        #expect(read("{\"name\": \"f\", \"arguments\": {}}", plain) == ("", "", ["f {}"]))
    }

    @Test("Random pieces of forms lose nothing and never crash")
    func hostile() {
        let words = [
            "<tool_call>", "</tool_call>", "{\"name\": \"", "f", "\", \"arguments\": ", "{", "}", "\n", " ", "é",
            "[ARGS]",
            "[TOOL_CALLS]", "<function=", ">", "<parameter=", "</parameter>", "\"", "\\", "<think>", "</think>", "😀",
        ]
        var random = SystemRandomNumberGenerator()
        for syntax in [Self.hermes, Self.tagged, Self.mistral, .generic] {
            let form = AnswerForm(reasoning: .init(begin: "<think>", end: "</think>"), calls: syntax)
            for _ in 0..<300 {
                let text = (0..<Int.random(in: 0...20, using: &random)).map { _ in words.randomElement() ?? "" }
                var splitter = AnswerSplitter(form)
                var (whole, hasCalls) = ("", false)
                for piece in text.flatMap({ splitter.append($0) }) + splitter.finish() {
                    switch piece {
                    case .content(let text): whole += text
                    case .reasoning(let text): whole += text
                    case .call: hasCalls = true
                    }
                }
                if !hasCalls {
                    func letters(_ text: String) -> String {
                        text.replacing("<think>", with: "").replacing("</think>", with: "").filter { !$0.isWhitespace }
                    }
                    #expect(letters(whole) == letters(text.joined()), "\(text)")
                }
            }
        }
    }
}
