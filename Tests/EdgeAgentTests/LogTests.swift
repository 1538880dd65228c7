import Foundation
import Testing

@testable import EdgeAgent

@Suite("Logs") struct LogTests {
    private func log() async throws -> [UInt8] {
        let log = AgentLog()
        let tool = try TestTool("list") { _ in "two: \"{}\" \\ 104" }
        let model = ScriptedModel([.calls([("list", "{}")]), .text("There are 104 [1].")])
        let agent = try Agent(
            model: model, tools: [tool], retriever: FixedRetriever(["A \"quoted\" } { passage \\"]),
            options: quickOptions(), log: log)
        _ = try await agent.answer("How many?")
        return Array(log.text.utf8)
    }

    private func damagedLine(_ text: [UInt8]) -> Int? {
        do {
            _ = try AgentLogReader(text)
            return nil
        } catch let error as AgentError {
            #expect(error.code == .logDamaged)
            return error.line
        } catch {
            Issue.record("\(error)")
            return nil
        }
    }

    @Test("A log has every step, and reads back")
    func whole() async throws {
        let reader = try AgentLogReader(try await log())
        #expect(
            reader.records.map(\.kind) == [
                "begin", "question", "passages", "state", "prompt", "draft", "state", "verdict", "result", "state",
                "state",
                "prompt", "draft", "state", "check", "end", "state",
            ])
        #expect(reader.head.count == 17 && reader.head.hash.count == 64)
    }

    @Test("Every changed byte of a record or a hash is found, in its line; times are free")
    func bytes() async throws {
        let text = try await log()
        let lines = text.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast()
        var start = 0
        for (number, line) in lines.enumerated() {
            let measured = Array(#","measured":"#.utf8)
            let hashed = try #require(Array(line).firstRange(of: measured)).lowerBound
            for offset in stride(from: 0, to: hashed, by: hashed > 600 ? 7 : 1) {
                var damaged = text
                damaged[start + offset] ^= 1
                #expect(damagedLine(damaged) == number + 1, "byte \(offset) of line \(number + 1)")
            }
            var timed = text
            let digit = try #require(line[(line.startIndex + hashed)...].firstIndex { (48...55).contains($0) })
            timed[digit] ^= 1
            #expect(damagedLine(timed) == nil)
            start += line.count + 1
        }
    }

    @Test("Lines that are missing, doubled, exchanged or cut are found")
    func lines() async throws {
        let text = try await log()
        let lines = text.split(separator: 0x0A).map(Array.init)
        func joined(_ lines: [[UInt8]]) -> [UInt8] { lines.flatMap { $0 + [0x0A] } }
        for index in lines.indices.dropLast() {
            var without = lines
            without.remove(at: index)
            #expect(damagedLine(joined(without)) == index + 1)
            var doubled = lines
            doubled.insert(lines[index], at: index)
            #expect(damagedLine(joined(doubled)) == index + 2)
            var exchanged = lines
            exchanged.swapAt(index, index + 1)
            #expect(damagedLine(joined(exchanged)) == index + 1)
        }
        // The end may be missing: then the question is not finished. But no line is half there.
        #expect(damagedLine(joined(Array(lines.dropLast(3)))) == nil)
        for count in stride(from: 0, to: text.count, by: 97)
        where text[count] != 0x0A && count > 0 && text[count - 1] != 0x0A {
            #expect(damagedLine(Array(text[..<count])) != nil)
        }
        #expect(damagedLine([]) == 1 && damagedLine([0x0A]) == 1 && damagedLine(Array("{}\n".utf8)) == 1)
        // Nested beyond reason.
        let zeros = AgentLine.start
        let deep = String(repeating: "{\"a\":", count: 100_000)
        #expect(damagedLine(Array("{\"hash\":\"\(zeros)\",\"previous\":\"\(zeros)\",\"record\":\(deep)\n".utf8)) == 1)
    }

    @Test("A log that cannot be written ends the question before anything is done")
    func unwritable() async throws {
        #expect { try AgentLog(writingTo: URL(fileURLWithPath: "/nowhere/at/all")) } throws: {
            ($0 as? AgentError)?.code == .logUnusable
        }
        #expect { try AgentLogReader(contentsOf: URL(fileURLWithPath: "/nowhere")) } throws: {
            ($0 as? AgentError)?.code == .logUnusable
        }
        #if os(Linux)
            let handle = try #require(FileHandle(forWritingAtPath: "/dev/full"))
            let full = AgentLog(writingTo: handle)
            #expect { try Agent(model: ScriptedModel([.text("a")]), options: quickOptions(), log: full) } throws: {
                ($0 as? AgentError)?.code == .logUnusable
            }
        #endif
    }
}
