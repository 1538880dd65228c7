internal import Foundation

/// PDF, through `pdftotext` of Poppler where that is installed.
enum PDFReader {
    /// Seconds after which the program is ended.
    private static let patience = 120.0

    static func read(_ bytes: [UInt8]) throws(DocumentError) -> ReadDocument {
        let text = try checked(extract(bytes))
        // A page ends with a form feed.
        var starts = [0]
        for (index, byte) in text.enumerated() where byte == 0x0C && index + 1 < text.count { starts.append(index + 1) }
        var blocks: [ReadDocument.Block] = []
        for (index, start) in starts.enumerated() {
            let end = index + 1 < starts.count ? starts[index + 1] : text.count
            blocks += PlainReader.paragraphs(of: text, text.lines(in: start..<end))
        }
        return ReadDocument(text: text, blocks: blocks, pageStarts: starts)
    }

    /// Where the program is, by the search path.
    static var tool: URL? { SearchPath.program(named: "pdftotext") }

    private static func extract(_ bytes: [UInt8]) throws(DocumentError) -> [UInt8] {
        guard let tool else {
            throw DocumentError(
                .missingTool,
                "PDF is read by pdftotext, which is not installed (Debian: poppler-utils; Homebrew: poppler)")
        }
        // By way of files: pipes that fill up on both sides would need threads.
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("edge-pdf-\(UUID().uuidString)")
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let input = folder.appendingPathComponent("in.pdf")
            let output = folder.appendingPathComponent("out.txt")
            try Data(bytes).write(to: input)
            let process = Process()
            process.executableURL = tool
            process.arguments = ["-q", "-enc", "UTF-8", "-eol", "unix", input.path, output.path]
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try run(process)
            let size = try FileManager.default.attributesOfItem(atPath: output.path)[.size] as? Int ?? 0
            guard size <= ReadDocument.sizeLimit else {
                throw DocumentError(
                    .tooLarge, "the text of the PDF has \(size) bytes, but at most \(ReadDocument.sizeLimit) are read")
            }
            return [UInt8](try Data(contentsOf: output))
        } catch let error as DocumentError {
            throw error
        } catch {
            throw DocumentError(.toolFailed, "the PDF cannot be read: \(error.localizedDescription)")
        }
    }

    private static func run(_ process: Process) throws {
        try process.run()
        let end = Date().addingTimeInterval(patience)
        while process.isRunning, Date() < end { Thread.sleep(forTimeInterval: 0.005) }
        if process.isRunning {
            process.terminate()
            Thread.sleep(forTimeInterval: 0.2)
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
            throw DocumentError(.toolFailed, "pdftotext took more than \(Int(patience)) seconds")
        }
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            throw DocumentError(
                .toolFailed,
                "pdftotext cannot read the file (status \(process.terminationStatus)): it is damaged, encrypted or no PDF"
            )
        }
    }
}
