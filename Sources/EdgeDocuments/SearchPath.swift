package import Foundation

/// Where programs are.
package enum SearchPath {
    /// A program by its name in the search path, or by its path where it has a slash; nil where there is none.
    package static func program(named name: String) -> URL? {
        guard !name.isEmpty else { return nil }
        let places: [String]
        if name.contains("/") {
            places = [name]
        } else {
            let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
            places = path.split(separator: ":").map { "\($0)/\(name)" }
        }
        // A folder is executable too.
        return places.lazy.map { URL(fileURLWithPath: $0) }.first {
            FileManager.default.isExecutableFile(atPath: $0.path)
                && (try? $0.resolvingSymlinksInPath().resourceValues(forKeys: [.isRegularFileKey]))?.isRegularFile
                    == true
        }
    }
}
