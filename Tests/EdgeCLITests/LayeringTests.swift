import EdgeTestSupport
import Foundation
import Testing

/// SwiftPM lets a module import what its dependencies import; the rooms do not.
@Suite("Rooms import what the table in Package.swift says, and nothing else") struct LayeringTests {
    /// The rooms that a folder's files import.
    private func imports(of room: String) throws -> Set<String> {
        let folder = packageRoot.appendingPathComponent("Sources/\(room)")
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        var found: Set<String> = []
        var fileCount = 0
        for case let file as URL in files where file.pathExtension == "swift" {
            fileCount += 1
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                let words = line.split(separator: " ")
                guard let place = words.firstIndex(of: "import"), place + 1 < words.count, place < 3,
                    words[..<place].allSatisfy({ $0.hasPrefix("@") || ["public", "package", "internal"].contains($0) })
                else { continue }
                let name = words[place + 1].split(separator: ".")[0]
                if name.hasPrefix("Edge") { found.insert(String(name)) }
            }
        }
        #expect(fileCount > 0, "\(room) has no sources")
        return found
    }

    @Test("The command and the example use the library's public face alone")
    func publicFace() throws {
        #expect(
            try imports(of: "EdgeCLI") == [
                "EdgeAgent", "EdgeCAN", "EdgeLLM", "EdgeQuantize", "EdgeRAG", "EdgeSocketCAN", "EdgeTerminal",
                "EdgeVehicle", "EdgeVoice",
            ])
        #expect(try imports(of: "EdgeExample") == ["EdgeLLM"])
    }

    /// The files that share memory beyond what the compiler can check, each with its reason in a comment.
    private static let unchecked: Set<String> = [
        "EdgePlatform/AlignedBuffer.swift", "EdgePlatform/ByteView.swift", "EdgePlatform/MappedFile.swift",
        "EdgePlatform/Thread.swift", "EdgePlatform/ThreadTeam.swift", "EdgeKernels/KeyValueBlocks.swift",
        "EdgeKernels/KeyValueLayer.swift", "EdgeKernels/QuantizedRows.swift", "EdgeKernels/Rows.swift",
        "EdgeEngine/GenerationContext.swift", "EdgePlatform/ThreadExecutor.swift", "EdgePlatform/DirectFile.swift",
        "EdgePlatform/ReadAhead.swift", "EdgeModel/WeightStream.swift", "EdgeCache/CacheSpill.swift",
        "EdgeEngine/PassageReuse.swift", "EdgeEngine/SavedContext.swift",
    ]

    @Test("Sendable is unchecked in the files that share memory, with a reason, and nowhere else")
    func uncheckedSendable() throws {
        let folder = packageRoot.appendingPathComponent("Sources")
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        var found: Set<String> = []
        for case let file as URL in files where file.pathExtension == "swift" {
            let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
            guard lines.contains(where: { $0.contains("@unchecked Sendable") && !$0.contains("//") }) else { continue }
            found.insert(file.pathComponents.suffix(2).joined(separator: "/"))
            #expect(lines.contains { $0.hasPrefix("/// ") && $0.contains("`@unchecked Sendable`") }, "\(file.path)")
        }
        #expect(found == Self.unchecked)
    }

    @Test("Every room")
    func rooms() throws {
        let manifest = try String(contentsOf: packageRoot.appendingPathComponent("Package.swift"), encoding: .utf8)
        let start = try #require(manifest.range(of: "let rooms:"))
        let end = try #require(manifest.range(of: "let tests:", range: start.upperBound..<manifest.endIndex))
        let table = manifest[start.upperBound..<end.lowerBound]
        var rooms: [String: Set<String>] = [:]
        for match in table.matches(of: /\(\s*"(\w+)",\s*\[([^\]]*)\]( \+ kernelRooms)?/) {
            let names = match.2.matches(of: /"(\w+)"/).map { String($0.1) }
            let kernels = [
                "EdgeKernelsPortable", "EdgeKernelsAVX2", "EdgeKernelsAVXVNNI", "EdgeKernelsAVX512", "EdgeKernelsNEON",
                "EdgeKernelsI8MM",
            ]
            rooms[String(match.1)] = Set(names + (match.3 == nil ? [] : kernels))
        }
        #expect(rooms.count > 15 && rooms["EdgeKernels"]?.contains("EdgeKernelsAVX2") == true)
        for (room, allowed) in rooms {
            let found = try imports(of: room)
            #expect(found.isSubset(of: allowed), "\(room) imports \(found.subtracting(allowed).sorted())")
        }
    }
}
