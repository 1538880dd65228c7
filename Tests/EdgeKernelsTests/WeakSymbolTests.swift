import EdgeTestSupport
import Foundation
import Testing

/// The linking trap: a specialised generic function of the standard library is a weak symbol in every module that uses it, and
/// the linker keeps one copy for the whole program. If that were the one compiled for AVX2 or AVX-512, an older processor would meet
/// instructions it does not have, in code that never asked for them.
@Suite("Rooms of special instruction sets")
struct WeakSymbolTests {
    #if os(Linux) && (arch(x86_64) || arch(arm64))
        @Test("define no function that could stand in for somebody else's", arguments: rooms)
        func noForeignWeakFunctions(room: String) throws {
            let folder = try #require(objectFolder(room), "the built objects are not beside the test program")
            var functions = 0
            for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            where file.pathExtension == "o" {
                for symbol in try weakFunctions(in: Data(contentsOf: file)) {
                    // The mangled name of what belongs to the room holds the room's name; a word that was already spelled
                    // in it is abbreviated, `EdgeKernelJobs` before `EdgeKernelsAVX2` leaving `A11KernelsAVX2`.
                    #expect(symbol.contains(room.dropFirst(4)), "\(file.lastPathComponent): \(symbol)")
                    functions += 1
                }
            }
            // There are some, or the search is broken.
            #expect(functions > 0)
        }
    #endif

    #if arch(x86_64)
        private static let rooms = ["EdgeKernelsAVX2", "EdgeKernelsAVXVNNI", "EdgeKernelsAVX512"]
    #else
        private static let rooms = ["EdgeKernelsNEON", "EdgeKernelsI8MM"]
    #endif

    /// The room's folder of objects, in the folder of products where the test program lies.
    private func objectFolder(_ room: String) -> URL? {
        let programs = CommandLine.arguments.prefix(1) + CommandLine.arguments.filter { $0.hasSuffix(".xctest") }
        for program in programs {
            var folder = URL(fileURLWithPath: program).deletingLastPathComponent()
            for _ in 0..<4 {
                let candidate = folder.appendingPathComponent("\(room).build", isDirectory: true)
                if FileManager.default.fileExists(atPath: candidate.path) { return candidate }
                folder = folder.deletingLastPathComponent()
            }
        }
        return nil
    }

    /// The weak functions that an ELF object of 64 bits defines.
    private func weakFunctions(in data: Data) throws -> [String] {
        let bytes = [UInt8](data)
        func number(_ at: Int, _ count: Int) -> Int {
            (0..<count).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
        }
        try #require(bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2]), "no ELF object of 64 bits")
        let sections = number(40, 8)
        let sectionSize = number(58, 2)
        var names: [String] = []
        for index in 0..<number(60, 2) {
            let section = sections + index * sectionSize
            let isSymbolTable = number(section + 4, 4) == 2
            guard isSymbolTable else { continue }
            let strings = number(sections + number(section + 40, 4) * sectionSize + 24, 8)
            let start = number(section + 24, 8)
            for symbol in stride(from: start, to: start + number(section + 32, 8), by: 24) {
                let info = bytes[symbol + 4]
                let isWeakFunction = info == 0x22
                let isDefined = number(symbol + 6, 2) != 0
                guard isWeakFunction, isDefined else { continue }
                let name = strings + number(symbol, 4)
                names.append(String(decoding: bytes[name...].prefix { $0 != 0 }, as: UTF8.self))
            }
        }
        return names
    }
}
