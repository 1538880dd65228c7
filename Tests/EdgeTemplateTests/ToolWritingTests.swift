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
            let w = template.toolWriting
            print("\(file.dropLast(6)): \(w.format.rawValue) lists=\(w.listsTools) calls=\(w.writesCalls) several=\(w.writesSeveralCalls) outputs=\(w.writesOutputs) native=\(w.isNative)\n      \(w.example.debugDescription.prefix(300))")
        }
    }
}
