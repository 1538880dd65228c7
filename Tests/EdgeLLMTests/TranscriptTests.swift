import EdgeLLM
import Foundation
import Testing

@Suite("Transcript") struct TranscriptTests {
    private let sample = Transcript(entries: [
        .instructions(.init(segments: .text("Be brief."))), .prompt(.init(segments: .text("Hi \u{0}\"\\ 日本 😀\r\n"))),
        .reasoning(.init(segments: .text("hm"))),
        .toolCalls(.init(calls: [.init(toolName: "read", arguments: #"{"pid": 12}"#)])),
        .toolOutput(.init(callID: "c", toolName: "read", segments: .text("90"))),
        .response(.init(segments: .text("Hello") + .text(", you"), finishReason: .endOfTurn)),
        .response(.init(segments: [])),
    ])

    @Test("A transcript is read as it was written")
    func roundTrip() throws {
        let data = try JSONEncoder().encode(sample)
        #expect(try JSONDecoder().decode(Transcript.self, from: data) == sample)
        #expect(String(decoding: data, as: UTF8.self).contains(#""version":1"#))
        #expect(sample.count == 7 && sample[5].text == "Hello, you" && Set(sample.map(\.id)).count == 7)
    }

    @Test("Printed, it says who said what")
    func printed() {
        #expect(
            "\(sample)" == """
                Instructions: Be brief.
                Prompt: Hi \u{0}"\\ 日本 😀\r

                Reasoning: hm
                Calls: read {"pid": 12}
                Output of read: 90
                Response: Hello, you
                Response: 
                """)
    }

    @Test("The written form of version 1 stays readable")
    func fixedForm() throws {
        let text = #"""
            {"version": 1, "entries": [
              {"kind": "instructions", "id": "a", "segments": [{"text": "x"}]},
              {"kind": "prompt", "id": "b", "segments": [{"text": "y"}]},
              {"kind": "reasoning", "id": "c", "segments": []},
              {"kind": "toolCalls", "id": "d", "calls": [{"id": "e", "toolName": "t", "arguments": "{}"}]},
              {"kind": "toolOutput", "id": "f", "callID": "e", "toolName": "t", "segments": [{"text": "1"}]},
              {"kind": "response", "id": "g", "segments": [{"text": "z"}], "finishReason": "maximumTokens"}]}
            """#
        let read = try JSONDecoder().decode(Transcript.self, from: Data(text.utf8))
        #expect(read.map(\.id) == ["a", "b", "c", "d", "f", "g"])
        #expect(read.last == .response(.init(id: "g", segments: .text("z"), finishReason: .maximumTokens)))
    }

    @Test(
        "Damage is an error",
        arguments: [
            "", "[]", "{}", #"{"version": 2, "entries": []}"#, #"{"version": 1}"#,
            #"{"version": 1, "entries": [{"kind": "prompt", "id": "b"}]}"#,
            #"{"version": 1, "entries": [{"kind": "oath", "id": "b", "segments": []}]}"#,
            #"{"version": 1, "entries": [{"kind": "response", "id": "b", "segments": [], "finishReason": "whim"}]}"#,
            #"{"version": 1, "entries": [{"kind": "prompt", "id": "b", "segments": [{"text": 1}]}]}"#,
        ])
    func damage(_ text: String) {
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(Transcript.self, from: Data(text.utf8)) }
    }

    @Test("Every cut of a written transcript is an error, and none a crash")
    func cuts() throws {
        let data = try JSONEncoder().encode(sample)
        for length in 0..<data.count {
            #expect(throws: DecodingError.self) { try JSONDecoder().decode(Transcript.self, from: data.prefix(length)) }
        }
    }

    @Test("Builders put parts on lines of their own")
    func builders() {
        let isLong = false
        let prompt = Prompt {
            "a"
            if isLong { "b" }
            for word in ["c", "d"] { word }
            if isLong { "e" } else { ["f", "g"] }
        }
        #expect(prompt.text == "a\nc\nd\nf\ng")
        #expect(Instructions { "x" }.text == "x" && Prompt("y").text == "y")
    }
}
