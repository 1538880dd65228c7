internal import EdgeEngine
package import EdgeGGUF
internal import EdgeLLM
internal import EdgePlatform
public import Foundation

/// What a quantized model lost, kept in its own file: the figures, how they were measured, and checksums of everything they depend on.
///
/// The same files, text and piece length give the same figures to the last bit on every machine, so that whoever doubts them can measure
/// again. The checksums are XXH64: they find damage and mistakes, and are no protection against forgery.
public struct QualityCertificate: Sendable, Hashable, Codable {
    /// The program that measured, with its version.
    public var tool: String
    /// What was measured.
    public var figures: ModelComparison
    /// A checksum of the original's weights, as sixteen hexadecimal digits.
    public var baseHash: String
    /// A checksum of the text that the model was judged on.
    public var textHash: String
    /// Whether control tokens in it were read as such.
    public var parsesSpecialTokens: Bool
    /// The name of that text.
    public var textName: String
    /// A checksum of the text that the model was calibrated with; nil where there was none.
    public var calibrationHash: String?
    /// What it lost of tasks; nil where that was not measured.
    public var tasks: Tasks?

    /// What a model lost of tasks with tools.
    public struct Tasks: Sendable, Hashable, Codable {
        /// The figures.
        public var comparison: TaskComparison
        /// A checksum of the file of cases.
        public var hash: String
        /// Its name.
        public var name: String
    }

    /// A file of cases, read before anything is measured.
    private struct CaseFile {
        let cases: [TaskCase]
        let hash: String
        let name: String

        init(_ url: URL) throws {
            let file = try TaskCase.file(url)
            cases = file.cases
            hash = QualityCertificate.hash(of: [UInt8](file.data))
            name = url.lastPathComponent
        }

        /// Measures both models on the cases.
        nonisolated(nonsending) func measure(_ model: URL, base: URL, threadCount: Int?) async throws -> Tasks {
            func load(_ url: URL) async throws -> GGUFLanguageModel {
                try await GGUFLanguageModel(contentsOf: url, options: .init(threadCount: threadCount))
            }
            return Tasks(
                comparison: try await TaskComparison.measure(base: load(base), model: load(model), on: cases),
                hash: hash, name: name)
        }
    }

    /// Tool and version that this library writes.
    public static let currentTool = "edge-llm 0.1.0"

    private static let prefix = "edge.certificate."

    /// A checksum as certificates have it.
    public static func hash(of text: [UInt8]) -> String { hex(Checksum.of(text)) }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The numbers of the figures by key.
    private static var numbers: [(key: String, path: WritableKeyPath<ModelComparison, Double>)] {
        [
            ("base_loss", \.baseLoss.value), ("base_loss_error", \.baseLoss.standardError),
            ("loss", \.loss.value), ("loss_error", \.loss.standardError),
            ("loss_difference", \.lossDifference.value), ("loss_difference_error", \.lossDifference.standardError),
            ("divergence", \.divergence.value), ("divergence_error", \.divergence.standardError),
            ("divergence_99", \.divergence99), ("divergence_largest", \.largestDivergence),
            ("agreement", \.agreement.value), ("agreement_error", \.agreement.standardError),
            ("covered_probability", \.coveredProbability),
        ]
    }
    private static var counts: [(key: String, path: WritableKeyPath<ModelComparison, Int>)] {
        [
            ("scored_tokens", \.scoredTokenCount), ("pieces", \.pieceCount), ("piece_length", \.pieceLength),
        ]
    }

    private init(
        tool: String, figures: ModelComparison, baseHash: String, textHash: String,
        parsesSpecialTokens: Bool, textName: String, calibrationHash: String?, tasks: Tasks?
    ) {
        self.tool = tool
        self.figures = figures
        self.baseHash = baseHash
        self.textHash = textHash
        self.parsesSpecialTokens = parsesSpecialTokens
        self.textName = textName
        self.calibrationHash = calibrationHash
        self.tasks = tasks
    }

    /// Reads the certificate of a file; nil where it has none.
    ///
    /// - Throws: `ModelLoadingError` for a damaged file; `QuantizationError.invalidCertificate` where keys of the certificate are missing.
    public init?(contentsOf url: URL) throws {
        try self.init(ModelLoadingError.reporting(url.path) { try GGUFFile(path: url.path) })
    }

    package init?(_ file: GGUFFile) throws {
        guard file[Self.prefix + "version"] != nil else { return nil }
        func wrong(_ key: String) -> QuantizationError {
            QuantizationError(
                .invalidCertificate, "\(file.path): the certificate's key \(Self.prefix + key) is missing or no number")
        }
        func text(_ key: String) throws -> String {
            guard let value = file[Self.prefix + key]?.text else { throw wrong(key) }
            return value
        }
        guard file[Self.prefix + "version"]?.int == 1 else {
            throw QuantizationError(
                .invalidCertificate, "\(file.path): the certificate is of a version that is not known")
        }
        tool = try text("tool")
        baseHash = try text("base_hash")
        textHash = try text("text_hash")
        textName = try text("text_name")
        parsesSpecialTokens = file[Self.prefix + "text_special"]?.bool ?? false
        calibrationHash = file[Self.prefix + "calibration_hash"]?.text
        let none = ModelComparison.Figure(value: 0, standardError: 0)
        figures = ModelComparison(
            baseLoss: none, loss: none, lossDifference: none, divergence: none, largestDivergence: 0, divergence99: 0,
            agreement: none, coveredProbability: 0, scoredTokenCount: 0, pieceCount: 0, pieceLength: 0)
        for number in Self.numbers {
            guard case .float64(let value) = file[Self.prefix + number.key] else { throw wrong(number.key) }
            figures[keyPath: number.path] = value
        }
        for count in Self.counts {
            guard let value = file[Self.prefix + count.key]?.int, value >= 0 else { throw wrong(count.key) }
            figures[keyPath: count.path] = value
        }
        tasks = try Self.readTasks(file, wrong)
    }

    /// The counts of a figure by key.
    private static var taskCounts: [(key: String, path: WritableKeyPath<TaskComparison.Figure, Int>)] {
        [("count", \.count), ("base_right", \.baseRight), ("lost", \.lostCount), ("gained", \.gainedCount)]
    }

    private static func readTasks(_ file: GGUFFile, _ wrong: (String) -> QuantizationError) throws -> Tasks? {
        guard let hash = file[prefix + "tasks_hash"] else { return nil }
        guard let hash = hash.text else { throw wrong("tasks_hash") }
        guard let name = file[prefix + "tasks_name"]?.text else { throw wrong("tasks_name") }
        var figures: [TaskComparison.Figure] = []
        for measure in TaskAccuracy.Measure.allCases where file[prefix + "tasks.\(measure.rawValue).count"] != nil {
            var figure = TaskComparison.Figure(measure: measure)
            for count in taskCounts {
                let key = "tasks.\(measure.rawValue).\(count.key)"
                guard let value = file[prefix + key]?.int, value >= 0 else { throw wrong(key) }
                figure[keyPath: count.path] = value
            }
            // Of those that the base does right some may be lost, and of the others some gained.
            guard figure.baseRight <= figure.count, figure.lostCount <= figure.baseRight,
                figure.gainedCount <= figure.count - figure.baseRight
            else { throw wrong("tasks.\(measure.rawValue)") }
            figures.append(figure)
        }
        return Tasks(comparison: TaskComparison(figures: figures), hash: hash, name: name)
    }

    /// The pairs that a file gets.
    private func entries(hashes: [UInt64]) -> [(String, GGUFValue)] {
        var entries: [(String, GGUFValue)] = [
            ("version", .uint32(1)), ("tool", .string(tool)), ("base_hash", .string(baseHash)),
            ("text_hash", .string(textHash)), ("text_name", .string(textName)),
        ]
        if parsesSpecialTokens { entries.append(("text_special", .bool(true))) }
        if let calibrationHash { entries.append(("calibration_hash", .string(calibrationHash))) }
        entries += Self.numbers.map { ($0.key, .float64(figures[keyPath: $0.path])) }
        entries += Self.counts.map { ($0.key, .uint64(UInt64(max(0, figures[keyPath: $0.path])))) }
        if let tasks {
            entries += [("tasks_hash", .string(tasks.hash)), ("tasks_name", .string(tasks.name))]
            for figure in tasks.comparison.figures {
                entries += Self.taskCounts.map {
                    ("tasks.\(figure.measure.rawValue).\($0.key)", .uint64(UInt64(max(0, figure[keyPath: $0.path]))))
                }
            }
        }
        return entries.map { (Self.prefix + $0.0, $0.1) } + [(GGUFKey.tensorHashes, .array(GGUFArray(hashes)))]
    }

    /// Measures a model and writes it again with a certificate.
    ///
    /// - Parameters:
    ///   - model: the model; it may have a certificate already, which is replaced.
    ///   - base: the original.
    ///   - output: the file to write.
    ///   - text: what the model is judged on; not what it was calibrated with.
    ///   - textName: a name for it.
    ///   - parsesSpecialTokens: whether the text's control tokens are read as such, as in conversations that a template laid out.
    ///   - calibration: the text that it was calibrated with, if there was one.
    ///   - tasks: a file of cases with tools (`TaskCase`), to measure these too; the models need chat templates then.
    ///   - pieceLength: tokens of a piece.
    ///   - maximumPieces: pieces at most; nil for all.
    ///   - threadCount: threads that compute. Does not change a bit of any figure.
    ///   - progress: as `ModelComparison.measure`.
    /// - Throws: as `ModelComparison.measure`; `QuantizationError.unwritable`.
    public static nonisolated(nonsending) func certify(
        _ model: URL, base: URL, to output: URL, on text: [UInt8], textName: String, parsesSpecialTokens: Bool = false,
        calibration: [UInt8]? = nil,
        tasks: URL? = nil, pieceLength: Int = 512, maximumPieces: Int? = nil, threadCount: Int? = nil,
        progress: @escaping @Sendable (_ current: ModelComparison, _ total: Int) -> Void = { _, _ in }
    ) async throws -> QualityCertificate {
        guard calibration == nil || calibration != text else {
            throw QuantizationError(
                .invalidOptions, "the model was calibrated with the text that it would be judged on; give another")
        }
        let caseFile = try tasks.map { try CaseFile($0) }
        let figures = try await ModelComparison.measure(
            base: base, model: model, on: text, parsesSpecialTokens: parsesSpecialTokens, pieceLength: pieceLength,
            maximumPieces: maximumPieces, threadCount: threadCount, progress: progress)
        let measured = try await caseFile?.measure(model, base: base, threadCount: threadCount)
        let worker = try ModelLoadingError.reporting(model.path) { try WorkThread() }
        return try await worker.run {
            let original = try ModelLoadingError.reporting(base.path) { try GGUFFile(path: base.path) }
            let file = try ModelLoadingError.reporting(model.path) { try GGUFFile(path: model.path) }
            let certificate = QualityCertificate(
                tool: currentTool, figures: figures, baseHash: hex(original.weightsHash()), textHash: hash(of: text),
                parsesSpecialTokens: parsesSpecialTokens, textName: textName,
                calibrationHash: calibration.map { hash(of: $0) },
                tasks: measured)
            do {
                var writer = GGUFWriter()
                let split = ["split.no", "split.count", "split.tensors.count"]
                for entry in file.metadata.entries
                where !entry.key.hasPrefix(prefix) && !split.contains(entry.key) { writer.set(entry.key, entry.value) }
                for (key, value) in certificate.entries(hashes: file.tensorHashes()) { writer.set(key, value) }
                for tensor in file.tensors { try writer.add(tensor) }
                try writer.write(to: output.path)
            } catch let error as GGUFError {
                throw QuantizationError(.unwritable, error.description)
            }
            return certificate
        }
    }

    /// Compares a file's weights with its certificate's checksums.
    ///
    /// - Throws: `ModelLoadingError` naming the first tensor that differs, or where there is no certificate.
    public static nonisolated(nonsending) func verifyTensors(of model: URL) async throws {
        let worker = try ModelLoadingError.reporting(model.path) { try WorkThread() }
        try await worker.run {
            try ModelLoadingError.reporting(model.path) { try GGUFFile(path: model.path).verifyTensors() }
        }
    }

    /// Measures again, and says what does not hold: nothing where all figures come out to the last bit.
    ///
    /// - Parameter tasks: the file of cases; without it those figures are not measured again.
    /// - Throws: as `ModelComparison.measure`.
    public nonisolated(nonsending) func discrepancies(
        of model: URL, base: URL, on text: [UInt8], tasks: URL? = nil, threadCount: Int? = nil,
        progress: @escaping @Sendable (_ current: ModelComparison, _ total: Int) -> Void = { _, _ in }
    ) async throws -> [String] {
        let caseFile = try tasks.map { try CaseFile($0) }
        var found: [String] = []
        if Self.hash(of: text) != textHash { found.append("the text is not the one that was certified (\(textName))") }
        if let caseFile {
            if let certified = self.tasks {
                if caseFile.hash != certified.hash {
                    found.append("the tasks are not those that were certified (\(certified.name))")
                }
            } else {
                found.append("no tasks were certified")
            }
        }
        let worker = try ModelLoadingError.reporting(model.path) { try WorkThread() }
        let hash = try await worker.run {
            try ModelLoadingError.reporting(base.path) { try GGUFFile(path: base.path).weightsHash() }
        }
        if Self.hex(hash) != baseHash { found.append("the original is not the one that was certified") }
        guard found.isEmpty else { return found }
        let again = try await ModelComparison.measure(
            base: base, model: model, on: text, parsesSpecialTokens: parsesSpecialTokens,
            pieceLength: figures.pieceLength, maximumPieces: figures.pieceCount,
            threadCount: threadCount, progress: progress)
        for number in Self.numbers where again[keyPath: number.path] != figures[keyPath: number.path] {
            found.append(
                "\(number.key) is \(again[keyPath: number.path]), certified as \(figures[keyPath: number.path])")
        }
        for count in Self.counts where again[keyPath: count.path] != figures[keyPath: count.path] {
            found.append("\(count.key) is \(again[keyPath: count.path]), certified as \(figures[keyPath: count.path])")
        }
        if let caseFile, let certified = self.tasks {
            let again = try await caseFile.measure(model, base: base, threadCount: threadCount)
            found += Self.discrepancies(again.comparison, certified: certified.comparison)
        }
        return found
    }

    private static func discrepancies(_ again: TaskComparison, certified: TaskComparison) -> [String] {
        TaskAccuracy.Measure.allCases.flatMap { measure -> [String] in
            let pair = [again, certified].map { $0.figures.first { $0.measure == measure } }
            return taskCounts.compactMap { count in
                let (new, old) = (pair[0]?[keyPath: count.path] ?? 0, pair[1]?[keyPath: count.path] ?? 0)
                return new == old ? nil : "tasks.\(measure.rawValue).\(count.key) is \(new), certified as \(old)"
            }
        }
    }
}
