internal import EdgeGGUF

/// What a GGUF file will hold: the model's settings, its tensors, and what the conversion has to say about them.
struct ModelPlan {
    let architecture: String
    /// Keys below the architecture's name, in order.
    private(set) var settings: [(key: String, value: GGUFValue)] = []
    var collector: TensorCollector
    /// What differs from the original, in sentences.
    var notes: [String] = []
    /// The rows of the embedding.
    var vocabularySize = 0

    init(architecture: String, collector: TensorCollector) {
        self.architecture = architecture
        self.collector = collector
    }

    mutating func set(_ key: String, _ value: Int) { settings.append((key, .uint32(UInt32(clamping: value)))) }
    mutating func set(_ key: String, _ value: Float) { settings.append((key, .float32(value))) }
    mutating func set(_ key: String, _ value: Bool) { settings.append((key, .bool(value))) }
    mutating func set(_ key: String, _ value: String) { settings.append((key, .string(value))) }
    mutating func set(_ key: String, _ values: [Bool]) { settings.append((key, .array(GGUFArray(values)))) }
    mutating func set(_ key: String, _ values: [String]) { settings.append((key, .array(GGUFArray(values)))) }

    /// Fails on tensors that nothing has taken: without them the model would be another.
    ///
    /// - Parameter known: whether a name is one that the architecture does without.
    mutating func refuseRest(known: (String) -> Bool) throws(ConversionError) {
        for name in collector.checkpoint.names where !collector.used.contains(name) && !known(name) {
            throw ConversionError(
                .unexpectedTensor, "the architecture '\(architecture)' has no place for this tensor",
                path: collector.checkpoint.path, tensor: name)
        }
    }
}
