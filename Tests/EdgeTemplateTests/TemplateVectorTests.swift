import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeTemplate

@Suite("Recorded renderings", .enabled(if: SharedData.isPresent, "\(SharedData.reason)"))
struct TemplateVectorTests {
    private static func json(_ path: String) throws -> TemplateValue {
        try TemplateValue(json: String(decoding: Data(contentsOf: SharedData.url(path)), as: UTF8.self))
    }

    private static func text(_ segments: [RenderedSegment]) -> String {
        segments.map(\.text).joined()
    }

    @Test("Every case of the language renders as expected")
    func language() throws {
        guard case .list(let cases) = try Self.json("llama.cpp/vectors/jinja.json") else {
            throw CocoaError(.fileReadCorruptFile)
        }
        #expect(cases.count >= 299)
        for item in cases {
            let name = item["name"]?.text ?? ""
            guard case .dict(let variables)? = item["vars"] else { continue }
            do throws(TemplateError) {
                let template = try Template(item["template"]?.text ?? "")
                let output = Self.text(try template.render(variables))
                #expect(output == item["expected"]?.text, "\(name)")
            } catch {
                Issue.record("\(name): \(error)")
            }
        }
    }

    /// The time that the recorded renderings were made with.
    static let now = TemplateTime(year: 2024, month: 7, day: 26)

    /// The text of the template that a recorded rendering names: a file, or a line of one.
    static func source(_ name: String) throws -> String {
        let parts = name.split(separator: "#", maxSplits: 1)
        let text = String(decoding: try Data(contentsOf: SharedData.url(String(parts[0]))), as: UTF8.self)
        guard parts.count == 2 else { return text }
        let line = try #require(parts[1].split(separator: ":").first.flatMap { Int($0) })
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let members = try TemplateValue(json: String(lines[line]))
        guard case .dict(let values) = members else { throw CocoaError(.fileReadCorruptFile) }
        return try #require((values["template"] ?? values["chat_template"])?.text ?? values.values.first?.text)
    }

    @Test("llama.cpp's own conversations render as its tests expect")
    func conversations() throws {
        let vectors = try Self.json("llama.cpp/vectors/chat_template.json")
        guard case .list(let messages)? = vectors["messages"], case .list(let cases)? = vectors["cases"] else {
            throw CocoaError(.fileReadCorruptFile)
        }
        #expect(cases.count == 36)
        var agreed = 0
        for item in cases {
            let name = item["name"]?.text ?? ""
            let other = item["expected_output_jinja"]?.text ?? ""
            let expected = other.isEmpty ? item["expected_output"]?.text : other
            // Where a template knows no system message, llama.cpp puts it into the user's first; that is not the template's doing.
            guard case .bool(let agrees)? = item["plain_jinja2_agrees"] else { continue }
            do throws(TemplateError) {
                let template = try ChatTemplate(
                    item["template_str"]?.text ?? "", bosToken: item["bos_token"]?.text ?? "",
                    eosToken: item["eos_token"]?.text ?? "")
                let output = Self.text(try template.render(messages: messages))
                #expect((output == expected) == agrees, "\(name): \(output)")
                if output == expected { agreed += 1 }
            } catch {
                // Raised by the template, or a variable that llama.cpp alone sets.
                #expect(!agrees && [.raised, .undefined].contains(error.code), "\(name): \(error)")
            }
        }
        #expect(agreed >= 24)
    }

    @Test("Every template of the collections renders as Python's Jinja does")
    func collections() throws {
        let path = try SharedData.url("chat-templates/golden.jsonl")
        let lines = String(decoding: try Data(contentsOf: path), as: UTF8.self).split(separator: "\n")
        #expect(lines.count >= 320)
        for line in lines {
            let row = try TemplateValue(json: String(line))
            let name = row["template"]?.text ?? ""
            let context = row["context"]?.text ?? ""
            guard case .dict(let variables) = try Self.json(context) else { continue }
            do throws(TemplateError) {
                let template = try Template((try? Self.source(name)) ?? "")
                let output = Self.text(try template.render(variables, now: Self.now))
                #expect(output == row["output"]?.text, "\(name) with \(context)")
            } catch {
                // "KIND: MESSAGE"
                let message = row["error"]?.text.flatMap { text in
                    text.range(of: ": ").map { String(text[$0.upperBound...]) }
                }
                #expect(error.message == message, "\(name) with \(context): \(error)")
                #expect(error.line > 0)
            }
        }
    }
}
