import EdgePlatform
import EdgeSearch
import Foundation

/// Times exact search of random unit vectors that a file holds, and says what was found: `edge-vectors FILE DIMENSIONS QUERIES
/// THREADS ROUNDS BATCH`. The file holds f32, little-endian; its last QUERIES vectors are the queries.
@main
enum Main {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 7, let data = FileManager.default.contents(atPath: arguments[1]),
            let dimensions = Int(arguments[2]), let queryCount = Int(arguments[3]), let threads = Int(arguments[4]),
            let rounds = Int(arguments[5]), let batch = Int(arguments[6]), dimensions > 0, queryCount > 0, batch > 0,
            data.count % (4 * dimensions) == 0, data.count / (4 * dimensions) > queryCount
        else {
            FileHandle.standardError.write(Data("edge-vectors FILE DIMENSIONS QUERIES THREADS ROUNDS BATCH\n".utf8))
            exit(64)
        }
        let count = data.count / (4 * dimensions) - queryCount
        let bytes = [UInt8](data)
        func vector(_ row: Int) -> [Float] {
            (0..<dimensions).map { column in
                let offset = 4 * (row * dimensions + column)
                return Float(
                    bitPattern: UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
                        | UInt32(bytes[offset + 3]) << 24)
            }
        }
        let index = try VectorIndex(dimensionCount: dimensions, team: ThreadTeam(threadCount: threads))
        try index.reserve(count)
        for row in 0..<count { try index.add([(Int64(row + 1), .init(vector(row)))]) }
        let queries = (0..<queryCount).map { vector(count + $0) }
        var milliseconds: [Double] = []
        var found: [[Int64]] = []
        for round in 0...rounds {
            found.removeAll()
            var start = 0
            let begin = ContinuousClock.now
            while start < queryCount {
                let part = Array(queries[start..<min(queryCount, start + batch)])
                found += try index.search(part, limit: 10).map { $0.map(\.id) }
                start += part.count
            }
            let taken = begin.duration(to: .now) / .milliseconds(1) / Double(queryCount)
            if round > 0 { milliseconds.append(taken) }
        }
        let result: [String: Any] = [
            "milliseconds": milliseconds, "found": found.map { $0.map { $0 - 1 } }, "bytes": index.byteCount,
        ]
        FileHandle.standardOutput.write(try JSONSerialization.data(withJSONObject: result))
    }
}
