import EdgeCAN
import EdgeTestSupport
import Foundation
import Testing

/// What `Fixtures/can/check.py` recorded of cantools.
private struct Expected: Decodable {
    struct File: Decodable {
        let file: String
        let seed: UInt64
        let frames: Int
        let digest: String
        let strict: String?
    }
    let shared: [File]
    let own: [File]
    let refused: [String: String]

    static func read() throws -> Expected {
        let url = fixtures.appendingPathComponent("can/expected.json")
        return try JSONDecoder().decode(Expected.self, from: Data(contentsOf: url))
    }
}

/// The lines of random frames, written as the script writes them.
private struct Lines {
    let database: DBCDatabase
    /// Messages that cantools decodes signal by signal.
    private let broken: Set<String>
    private var generator: SplitMix64

    init(_ database: DBCDatabase, seed: UInt64) {
        self.database = database
        generator = SplitMix64(seed: seed)
        broken = Set(
            database.problems.filter { $0.kind == .overlap || $0.kind == .doesNotFit }.compactMap {
                $0.message.split(separator: " ").last.map(String.init)
            })
    }

    static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    private func bits(_ value: Double) -> String {
        if value.isNaN { return "nan" }
        let digits = String(value.bitPattern, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    mutating func next(_ index: Int) -> String {
        let message = database.messages[index % database.messages.count]
        var data: [UInt8] = []
        while data.count < message.byteCount {
            let word = generator.next()
            for shift in 0..<8 { data.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * shift))) }
        }
        data = Array(data.prefix(message.byteCount))
        let isWhole = !broken.contains(message.name)
        let start = "\(message.name) \(Self.hex(data)) "
        var values: [String: DBCValue] = [:]
        if isWhole {
            guard let decoded = try? message.decode(data) else { return start + "unknown" }
            values = decoded
        } else {
            for signal in message.signals { values[signal.name] = message.value(of: signal, in: data) }
        }
        var line = start
        line += values.sorted { $0.key < $1.key }.map { name, value in
            "\(name)=\(bits(value.physical))" + (value.choice.map { "[\($0)]" } ?? "")
        }.joined(separator: " ")
        if isWhole, values.values.allSatisfy({ abs($0.physical) <= 0x1p53 }) {
            let encoded = try? message.encode(values.mapValues { .physical($0.physical) })
            line += " > " + (encoded.map(Self.hex) ?? "nothing")
        }
        return line
    }
}

private func database(_ url: URL, strict: Bool = false) throws -> DBCDatabase {
    try DBCDatabase(parsing: Array(Data(contentsOf: url)), strict: strict)
}

@Suite("Frames decode and encode as with cantools") struct CantoolsTests {
    private func check(_ file: Expected.File, at url: URL) throws {
        let read = try database(url)
        var lines = Lines(read, seed: file.seed)
        var digest: UInt64 = 0xcbf2_9ce4_8422_2325
        for index in 0..<file.frames {
            for byte in (lines.next(index) + "\n").utf8 { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        #expect(String(digest, radix: 16) == String(file.digest.drop { $0 == "0" }), "\(file.file)")
        // What cantools refuses when it is strict is what we call a problem.
        if file.strict != nil {
            #expect(throws: DBCError.self) { try database(url, strict: true) }
        } else {
            #expect(read.problems.filter { $0.kind == .overlap || $0.kind == .doesNotFit }.isEmpty, "\(file.file)")
        }
    }

    @Test("The files of this project, 4,000 frames")
    func own() throws {
        let expected = try Expected.read()
        #expect(expected.own.map(\.file) == ["features.dbc", "tern.dbc"])
        for file in expected.own {
            try check(
                file, at: fixtures.appendingPathComponent(file.file == "tern.dbc" ? file.file : "can/" + file.file))
        }
    }

    @Test("The files of opendbc, 100,000 frames", .enabled(if: SharedData.isPresent))
    func shared() throws {
        let expected = try Expected.read()
        #expect(expected.shared.count == 11 && expected.shared.reduce(0) { $0 + $1.frames } == 100_000)
        for file in expected.shared { try check(file, at: SharedData.url("can/opendbc/" + file.file)) }
    }

    @Test("What cantools refuses is refused at the same place", .enabled(if: SharedData.isPresent))
    func refused() throws {
        let expected = try Expected.read()
        #expect(expected.refused.count == 1)
        for (file, message) in expected.refused {
            #expect(message.contains("line 24, column 6"))
            let error = #expect(throws: DBCError.self) { try database(SharedData.url("can/opendbc/" + file)) }
            #expect(error?.line == 24 && error?.column == 6, "\(file): \(String(describing: error))")
        }
    }

    /// A folder with DBC files, and beside each what `check.py --dump` wrote.
    static let filesFolder: String? = ProcessInfo.processInfo.environment["EDGE_DBC_FOLDER"]

    @Test("Any files, line by line", .enabled(if: filesFolder != nil))
    func folder() throws {
        let folder = URL(fileURLWithPath: try #require(Self.filesFolder))
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".dbc") }
        #expect(!names.isEmpty)
        var frames = 0
        for name in names.sorted() {
            let text = try String(
                contentsOf: folder.appendingPathComponent(name.dropLast(4) + ".txt"), encoding: .utf8)
            do {
                var lines = try Lines(database(folder.appendingPathComponent(name)), seed: 1)
                if text.hasPrefix("refused") {
                    print("\(name): only cantools refuses it: \(text.dropLast())")
                    continue
                }
                for (index, expected) in text.split(separator: "\n").enumerated() {
                    frames += 1
                    let line = lines.next(index)
                    guard line == expected else {
                        Issue.record("\(name)\n  cantools \(expected)\n  EdgeCAN  \(line)")
                        break
                    }
                }
            } catch {
                print("\(name): refused: \(error); cantools: \(text.prefix(200))")
            }
        }
        print("\(frames) frames of \(names.count) files")
    }
}
