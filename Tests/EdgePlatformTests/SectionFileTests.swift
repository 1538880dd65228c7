import EdgePlatform
import Foundation
import Testing

@Suite("Files of sections") struct SectionFileTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edge-sections-\(UUID())")
    private let contents: [(name: String, bytes: [UInt8])] = [
        ("first", Array("the first section".utf8)), ("empty", []), ("a/b", (0..<5000).map { UInt8($0 % 251) }),
    ]

    private func written() throws -> URL {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let url = folder.appendingPathComponent("file")
        var writer = try SectionFileWriter(path: url.path)
        for (name, bytes) in contents { try writer.add(name, ByteView(bytes)) }
        #expect(!FileManager.default.fileExists(atPath: url.path))
        try writer.commit()
        return url
    }

    @Test("Sections come back from where they are mapped, on borders of pages, the first at the beginning")
    func roundTrip() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = try SectionFile(path: written().path)
        #expect(file.sections.map(\.name) == contents.map(\.name))
        #expect(file.sections.map { $0.bytes.copied() } == contents.map(\.bytes))
        #expect(file.sections.allSatisfy { $0.offset % 4096 == 0 } && file.sections[0].offset == 0)
        #expect(file.damage().isEmpty)
    }

    @Test("Each byte that changes is found, and the section named where it is one's")
    func damage() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let whole = [UInt8](try Data(contentsOf: written()))
        for offset in Array(0..<40) + Array(stride(from: 40, to: whole.count - 400, by: 97))
            + Array(whole.count - 400..<whole.count)
        {
            var changed = whole
            changed[offset] ^= 1 << UInt8(offset % 8)
            do {
                let found = try SectionFile(ByteView(changed)).damage()
                try #require(found.count == 1, "\(offset)")
                // The last section begins at 4096; what lies between two is of none.
                let section: String? = offset < 17 ? "first" : offset < 4096 ? nil : "a/b"
                #expect(found[0].section == section && found[0].code == .damaged, "\(offset)")
            } catch let error as SectionFileError {
                #expect(offset >= whole.count - 400, "\(offset): \(error)")
            }
        }
        for count in [0, 1, 63, 64, 4096, whole.count / 2, whole.count - 1] {
            #expect(throws: SectionFileError.self) { try SectionFile(ByteView(Array(whole.prefix(count)))) }
        }
        #expect(throws: SectionFileError.self) { try SectionFile(ByteView([0] + whole)) }
        let missing = #expect(throws: SectionFileError.self) {
            try SectionFile(path: folder.appendingPathComponent("none").path)
        }
        #expect(missing?.code == .unreadable)
    }

    @Test("A file that is not finished leaves nothing")
    func abandoned() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        do {
            var writer = try SectionFileWriter(path: folder.appendingPathComponent("file").path)
            try writer.add("first", ByteView([1, 2, 3]))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
}
