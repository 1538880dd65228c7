import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeTemplate

@Suite("What templates do with tools")
struct ToolWritingTests {
    @Test("probe", .enabled(if: SharedData.isPresent, "\(SharedData.reason)"))
    func probe() throws {
        let folder = try SharedData.url("llama.cpp/models/templates")
        for file in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() where file.hasSuffix("jinja") {
            let source = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
            let template = try ChatTemplate(source, bosToken: "<s>", eosToken: "</s>")
            let start = ContinuousClock.now
            guard let w = template.toolWriting else { print("\(file.dropLast(6)): nil \(ContinuousClock.now - start)"); continue }
            let s = w.syntax
            print("\(file.dropLast(6)): \(w.listing) calls=\(w.writesCalls) \(ContinuousClock.now - start)\n     ", [s.mark, s.prefix, s.middle, s.suffix, s.join ?? "NIL"], s.arguments, s.otherMarks)
        }
    }
}
