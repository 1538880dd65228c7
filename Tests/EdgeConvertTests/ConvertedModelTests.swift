import EdgeCache
import EdgeGGUF
import EdgeKernels
import EdgeModel
import EdgePlatform
import EdgeQuant
import EdgeTestSupport
import Foundation
import Testing

@testable import EdgeConvert

/// A small model that transformers saved, and what it computes; `Fixtures/convert/make_models.py` makes them.
struct SavedModel: Sendable, CustomTestStringConvertible {
    let name: String
    var folder: URL { Self.root.appendingPathComponent(name) }
    var testDescription: String { name }

    private static let root = fixtures.appendingPathComponent("convert/models", isDirectory: true)

    static let all: [SavedModel] =
        ((try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []).sorted().map(SavedModel.init)

    static func named(_ name: String) -> SavedModel { SavedModel(name: name) }

    struct Golden: Decodable {
        let ids: [Int32]
        let logits: [Float]?
        let vector: [Float]?
        let scores: [Float]?
    }

    func golden() throws -> Golden {
        try JSONDecoder().decode(Golden.self, from: Data(contentsOf: folder.appendingPathComponent("golden.json")))
    }

    func conversion(_ type: WeightType = .stored) throws -> Conversion {
        var options = Conversion.Options()
        options.weightType = type
        options.includesTokenizer = false
        return try Conversion(folder: folder.path, options: options)
    }

    /// Converts the model and opens the result.
    func converted(_ type: WeightType = .stored) throws -> (file: GGUFFile, keeping: TemporaryFolder) {
        let place = try TemporaryFolder()
        let path = place.url.appendingPathComponent("model.gguf").path
        try conversion(type).write(to: path)
        return (try GGUFFile(path: path), place)
    }
}

@Suite("Converted models") struct ConvertedModelTests {
    /// What the model computes, as the golden values do.
    private func result(_ file: GGUFFile, _ golden: SavedModel.Golden) throws -> (mine: [Float], theirs: [Float]) {
        let model = try Model(file)
        let team = try ThreadTeam(threadCount: 1)
        if let logits = golden.logits {
            let pass = try ForwardPass(
                model, team: team, batchCapacity: golden.ids.count, logitsCapacity: 1, path: .exact)
            // As much context as transformers looks at, where frequencies depend on it.
            let cache = try model.makeCache(
                capacity: golden.ids.count, batchCapacity: golden.ids.count, precision: .f32)
            pass.run(golden.ids[...], cache: cache, logits: golden.ids.count - 1..<golden.ids.count)
            return (pass.logits.copy(row: 0), logits)
        }
        let pooling: Pooling = golden.scores == nil ? .mean : .rank
        let encoder = try Encoder(model, team: team, tokenCapacity: 64, pooling: pooling, path: .exact)
        let mine = try #require(encoder.embed([golden.ids], normalized: false).first)
        return (mine, try #require(golden.vector ?? golden.scores))
    }

    @Test("There is a model of every family that can be converted")
    func families() throws {
        let classes = try SavedModel.all.map { saved in
            let config = try #require(try ModelFiles(folder: saved.folder.path).json("config.json"))
            return try #require(try config.optionalStrings("architectures")?.first)
        }
        let named = Set(DecoderFamily.all.compactMap { family in family.classes.first { classes.contains($0) } })
        #expect(named.count == DecoderFamily.all.count)
        #expect(classes.contains("BertModel") && classes.contains("NomicBertModel"))
    }

    @Test(
        "Logits are those of transformers, to a normalised squared error of 1e-10", arguments: SavedModel.all)
    func logits(saved: SavedModel) throws {
        let golden = try saved.golden()
        // No type of GGUF has groups whose inputs lie apart.
        let (file, place) = try saved.converted(saved.name == "gptq-shuffled" ? .f32 : .stored)
        defer { withExtendedLifetime(place) {} }
        let (mine, theirs) = try result(file, golden)
        #expect(mine.count == theirs.count)
        let error = nmse(mine[...], theirs)
        // BERT's GELU is the exact one, readers of GGUF compute it by tanh.
        #expect(error < (saved.name.contains("bert") && saved.name != "nomic-bert" ? 1e-6 : 1e-10), "\(error)")
    }

    @Test("Notes say what is left out or computed otherwise, and most models need none")
    func notes() throws {
        for saved in SavedModel.all where saved.name != "gptq-shuffled" {
            let notes = try saved.conversion().notes
            #expect(
                notes.count == (["gemma3-image", "mistral-window"].contains(saved.name) ? 1 : 0),
                "\(saved.name): \(notes)")
        }
        let place = try changed("starcoder2") { $0["sliding_window"] = 8 }
        var options = Conversion.Options()
        options.includesTokenizer = false
        #expect(try Conversion(folder: place.path, options: options).notes.count == 1)
    }

    @Test("Settings that Gemma 3's published files leave out have the values of its own code")
    func defaults() throws {
        let keys = ["query_pre_attn_scalar", "num_attention_heads", "max_position_embeddings", "vocab_size"]
        // With Gemma's own values the weights are of another shape.
        #expect(
            try code("gemma3-image") { config in
                var text = config["text_config"] as? [String: Any]
                for key in keys { text?[key] = nil }
                config["text_config"] = text
            } == .unsupportedArchitecture)
        #expect(
            try code("gemma3-image") { config in
                var text = config["text_config"] as? [String: Any]
                text?["max_position_embeddings"] = nil
                text?["rms_norm_eps"] = nil
                config["text_config"] = text
            } == nil)
        #expect(try code("gemma3-image") { $0["text_config"] = nil } == .missingMetadata)
    }

    @Test("Each type keeps logits as far as it can", arguments: ["llama3", "mixtral", "gemma3", "bert", "awq"])
    func types(name: String) throws {
        let saved = SavedModel.named(name)
        let golden = try saved.golden()
        for (type, limit) in [
            (WeightType.f32, name == "bert" ? 1e-6 : 1e-10), (.f16, 1e-5), (.bf16, 1e-3), (.q8_0, 1e-2),
        ] {
            let (file, place) = try saved.converted(type)
            defer { withExtendedLifetime(place) {} }
            let (mine, theirs) = try result(file, golden)
            let error = nmse(mine[...], theirs)
            #expect(error < limit, "\(type): \(error)")
        }
    }

    @Test("Checkpoints of 4 bits become the types that keep every weight")
    func packed() throws {
        for (name, type) in [("gptq", GGMLType.q4_0), ("gptq-asymmetric", .q5_0), ("awq", .q5_0)] {
            let (file, place) = try SavedModel.named(name).converted()
            let (plain, other) = try SavedModel.named(name).converted(.f32)
            defer { withExtendedLifetime((place, other)) {} }
            var count = 0
            for tensor in file.tensors where tensor.type == type {
                let exact = try #require(plain.tensor(named: tensor.name))
                #expect(exact.type == .f32)
                #expect(try type.decode(tensor.bytes.copied()) == GGMLType.f32.decode(exact.bytes.copied()))
                count += 1
            }
            #expect(count == 14, "\(name)")
        }
        let error = #expect(throws: ConversionError.self) { try SavedModel.named("gptq-shuffled").conversion() }
        #expect(error?.code == .unsupportedTensorType)
    }

    @Test("A result has the same bytes each time, and none appears where the work was ended")
    func writing() throws {
        let conversion = try SavedModel.named("mixtral").conversion()
        let place = try TemporaryFolder()
        let (first, second) = (place.url.appendingPathComponent("1"), place.url.appendingPathComponent("2"))
        var last = 0
        try conversion.write(to: first.path) { done in
            #expect(done > last)
            last = done
        }
        #expect(last == conversion.byteCount)
        try conversion.write(to: second.path, threadCount: 3)
        #expect(try Data(contentsOf: first) == Data(contentsOf: second))
        struct Stop: Error {}
        #expect(throws: Stop.self) {
            try conversion.write(to: place.url.appendingPathComponent("3").path) { if $0 > 1000 { throw Stop() } }
        }
        let error = #expect(throws: ConversionError.self) {
            try conversion.write(to: place.url.appendingPathComponent("none/4").path)
        }
        #expect(error?.code == .unwritable)
        #expect(try FileManager.default.contentsOfDirectory(atPath: place.path).sorted() == ["1", "2"])
    }

    @Test("Settings under the names of older versions of transformers give the same file")
    func olderNames() throws {
        /// The bytes of the file that a folder becomes.
        func bytes(_ folder: String) throws -> Data {
            var options = Conversion.Options()
            options.includesTokenizer = false
            options.name = "x"
            let place = try TemporaryFolder()
            let url = place.url.appendingPathComponent("out")
            try Conversion(folder: folder, options: options).write(to: url.path)
            return try Data(contentsOf: url)
        }
        for saved in SavedModel.all where !saved.name.contains("bert") && saved.name != "gptq-shuffled" {
            let place = try changed(saved.name) { config in
                guard var rope = config.removeValue(forKey: "rope_parameters") as? [String: Any] else { return }
                if let local = rope["sliding_attention"] as? [String: Any], saved.name == "gemma3" {
                    config["rope_local_base_freq"] = local["rope_theta"]
                    config["sliding_window_pattern"] = 6
                    config["layer_types"] = nil
                }
                if let full = rope["full_attention"] as? [String: Any] { rope = full }
                config["rope_theta"] = rope.removeValue(forKey: "rope_theta")
                if let partial = rope.removeValue(forKey: "partial_rotary_factor") {
                    config["partial_rotary_factor"] = partial
                }
                if let type = rope.removeValue(forKey: "rope_type") as? String, type != "default" {
                    // Phi 3's first name for it.
                    rope["type"] = type == "longrope" ? "su" : type
                    config["rope_scaling"] = rope
                } else {
                    config["rope_scaling"] = NSNull()
                }
                if let experts = config.removeValue(forKey: "num_local_experts") { config["num_experts"] = experts }
                if saved.name == "gptq", let quantization = config.removeValue(forKey: "quantization_config") {
                    config["was"] = quantization
                }
            }
            if saved.name == "gptq" {
                try place.write(
                    "quantize_config.json", #"{"bits": 4, "group_size": 32, "desc_act": false, "sym": true}"#)
            }
            // OLMo 3 now says the base of its windows, which was that of all layers.
            if saved.name != "olmo3" { #expect(try bytes(place.path) == bytes(saved.folder.path), "\(saved.name)") }
        }
    }

    @Test("Nomic's own names of settings give the same file as those of transformers")
    func nomicNames() throws {
        let names = [
            "hidden_size": "n_embd", "num_hidden_layers": "n_layer", "num_attention_heads": "n_head",
            "intermediate_size": "n_inner", "max_position_embeddings": "n_positions",
            "layer_norm_eps": "layer_norm_epsilon",
        ]
        let place = try changed("nomic-bert") { config in
            for (name, other) in names { config[other] = config.removeValue(forKey: name) }
            config["rope_parameters"] = nil
            config["rotary_emb_base"] = 1000
            config["activation_function"] = "swiglu"
            config["hidden_act"] = nil
        }
        var options = Conversion.Options()
        options.includesTokenizer = false
        options.name = "nomic-bert"
        let (first, second) = (place.url.appendingPathComponent("1"), place.url.appendingPathComponent("2"))
        try Conversion(folder: place.path, options: options).write(to: first.path)
        try SavedModel.named("nomic-bert").conversion().write(to: second.path)
        #expect(try Data(contentsOf: first) == Data(contentsOf: second))
    }

    @Test("An embedder pools as sentence-transformers' files say, and steps that are not supported are refused")
    func pooling() throws {
        func pooling(_ name: String, _ modules: [String], _ settings: String) throws -> Int? {
            let place = try changed(name) { _ in }
            let list = modules.map { #"{"type": "sentence_transformers.models.\#($0)", "path": "1_\#($0)"}"# }
            try place.write("modules.json", "[\(list.joined(separator: ","))]")
            try place.write("1_Pooling/config.json", settings)
            var options = Conversion.Options()
            options.includesTokenizer = false
            let url = place.url.appendingPathComponent("out")
            try Conversion(folder: place.path, options: options).write(to: url.path)
            return try GGUFFile(path: url.path)["\(name).pooling_type"]?.int
        }
        let usual = ["Transformer", "Pooling", "Normalize"]
        #expect(
            try pooling("bert", usual, #"{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false}"#) == 1)
        #expect(try pooling("bert", usual, #"{"pooling_mode_cls_token": true}"#) == 2)
        #expect(try pooling("qwen3", usual, #"{"pooling_mode_lasttoken": true}"#) == 3)
        #expect(try pooling("qwen3", usual, #"{"pooling_mode": "lasttoken"}"#) == 3)
        let refused = [
            (usual, #"{"pooling_mode_max_tokens": true}"#), (usual, "{}"),
            (usual, #"{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}"#),
            (usual + ["Dense"], #"{"pooling_mode_mean_tokens": true}"#),
        ]
        for (modules, settings) in refused {
            let error = #expect(throws: ConversionError.self) { try pooling("bert", modules, settings) }
            #expect(error?.code == .unsupportedArchitecture)
        }
    }

    @Test("Damaged settings give an error or a conversion, whatever was changed")
    func fuzz() throws {
        var random = SplitMix(seed: 3)
        var outcomes: [Bool: Int] = [:]
        for name in ["gemma3", "phi3-long", "bert-rank", "awq", "qwen3moe"] {
            let place = try changed(name) { _ in }
            let sound = [UInt8](try Data(contentsOf: place.url.appendingPathComponent("config.json")))
            var options = Conversion.Options()
            options.includesTokenizer = false
            for _ in 0..<120 {
                var bytes = sound
                for _ in 0...Int(random.next() % 3) {
                    let index = Int(random.next() % UInt64(bytes.count))
                    switch random.next() % 4 {
                    case 0: bytes[index] = UInt8(ascii: "0") + UInt8(random.next() % 10)
                    case 1: bytes.remove(at: index)
                    case 2: bytes.insert(UInt8(ascii: "9"), at: index)
                    default: bytes[index] = UInt8(truncatingIfNeeded: random.next())
                    }
                }
                try place.write("config.json", bytes)
                do throws(ConversionError) {
                    _ = try Conversion(folder: place.path, options: options)
                    outcomes[true, default: 0] += 1
                } catch { outcomes[false, default: 0] += 1 }
            }
        }
        #expect(outcomes[true] ?? 0 > 50 && outcomes[false] ?? 0 > 200, "\(outcomes)")
    }

    // MARK: What is refused

    /// A folder with a changed copy of a saved model.
    private func changed(_ name: String, _ change: (inout [String: Any]) -> Void) throws -> TemporaryFolder {
        let place = try TemporaryFolder()
        let saved = SavedModel.named(name).folder
        for file in try FileManager.default.contentsOfDirectory(atPath: saved.path) where file.hasPrefix("model") {
            try FileManager.default.copyItem(
                at: saved.appendingPathComponent(file), to: place.url.appendingPathComponent(file))
        }
        let data = try Data(contentsOf: saved.appendingPathComponent("config.json"))
        var config = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        change(&config)
        try JSONSerialization.data(withJSONObject: config).write(to: place.url.appendingPathComponent("config.json"))
        return place
    }

    private func code(_ name: String, _ change: (inout [String: Any]) -> Void) throws -> ConversionError.Code? {
        let place = try changed(name, change)
        var options = Conversion.Options()
        options.includesTokenizer = false
        do throws(ConversionError) {
            _ = try Conversion(folder: place.path, options: options)
            return nil
        } catch { return error.code }
    }

    @Test("Variants that readers of the file would compute otherwise are refused")
    func variants() throws {
        let refused: [(String, String, any Sendable)] = [
            ("llama", "architectures", ["FalconForCausalLM"]), ("llama", "hidden_act", "relu"),
            ("llama", "rope_parameters", ["rope_type": "dynamic", "factor": 2.0] as [String: any Sendable]),
            ("llama", "partial_rotary_factor", 0.5), ("qwen2", "layer_types", ["sliding_attention", "full_attention"]),
            ("qwen3moe", "norm_topk_prob", false), ("qwen3moe", "mlp_only_layers", [1]),
            ("gemma2", "query_pre_attn_scalar", 20), ("gemma3", "use_bidirectional_attention", true),
            ("smollm3", "no_rope_layers", [1, 1, 1, 1, 1]), ("stablelm", "use_parallel_residual", true),
            ("stablelm", "qk_layernorm", true), ("bert", "position_embedding_type", "relative_key"),
            ("bert", "is_decoder", true), ("nomic-bert", "prenorm", true),
        ]
        for (name, key, value) in refused {
            let code = try code(name) { config in
                if key == "partial_rotary_factor" { config["rope_parameters"] = nil }
                config[key] = value
                if key == "layer_types" { (config["use_sliding_window"], config["sliding_window"]) = (true, 8) }
            }
            #expect(code == .unsupportedArchitecture, "\(name) \(key)")
        }
        #expect(
            try code("llama") { $0["quantization_config"] = ["quant_method": "bitsandbytes", "bits": 4] }
                == .unsupportedTensorType)
        #expect(
            try code("gptq") { $0["quantization_config"] = ["quant_method": "gptq", "bits": 3] }
                == .unsupportedTensorType)
    }

    @Test("Settings that contradict the weights, and senseless ones, are errors that say which")
    func contradictions() throws {
        #expect(try code("llama") { $0["hidden_size"] = 64 } == .tensorShapeMismatch)
        #expect(try code("llama") { $0["num_hidden_layers"] = 1 } == .unexpectedTensor)
        #expect(try code("llama") { $0["num_hidden_layers"] = 3 } == .missingTensor)
        #expect(try code("llama3") { $0["tie_word_embeddings"] = false } == .missingTensor)
        #expect(try code("gptq") { $0["quantization_config"] = nil } == .missingTensor)
        #expect(try code("llama") { $0["intermediate_size"] = nil } == .missingMetadata)
        #expect(try code("llama") { $0["rms_norm_eps"] = nil } == .missingMetadata)
        #expect(try code("llama") { $0["architectures"] = nil } == .missingMetadata)
        let senseless: [(String, any Sendable)] = [
            ("hidden_size", -1), ("hidden_size", "32"), ("hidden_size", 1e30), ("num_hidden_layers", 1 << 40),
            ("num_key_value_heads", 3), ("num_attention_heads", 0), ("head_dim", 7), ("rms_norm_eps", "x"),
            ("max_position_embeddings", 0), ("vocab_size", 1 << 40), ("architectures", "LlamaForCausalLM"),
        ]
        for (key, value) in senseless {
            #expect(try code("llama") { $0[key] = value } == .invalidMetadata, "\(key) = \(value)")
        }
        #expect(try code("llama") { _ in } == nil)
    }

    @Test("A value that half precision has no room for is an error, not infinity")
    func range() throws {
        let place = try changed("llama") { _ in }
        let path = place.url.appendingPathComponent("model.safetensors")
        var data = try Data(contentsOf: path)
        let tensor = try #require(SafetensorsFile(path: path.path).tensors.first { $0.shape.count == 2 })
        let offset = try offset(of: tensor, in: path.path)
        for (number, types) in [(Float(1e5), [WeightType.f16]), (.infinity, [.q8_0]), (.nan, [.q8_0])] {
            data.replaceSubrange(offset..<offset + 4, with: littleEndian(number.bitPattern))
            try data.write(to: path)
            for type in types {
                var options = Conversion.Options()
                options.includesTokenizer = false
                options.weightType = type
                let conversion = try Conversion(folder: place.path, options: options)
                let error = #expect(throws: ConversionError.self) {
                    try conversion.write(to: place.url.appendingPathComponent("out").path)
                }
                #expect(error?.code == .valueOutOfRange && error?.tensor == tensor.name)
            }
        }
    }

    private func offset(of tensor: SafetensorsTensor, in path: String) throws -> Int {
        let file = try SafetensorsFile(path: path)
        var place = try Data(contentsOf: URL(fileURLWithPath: path)).count
        place -= file.tensors.reduce(0) { $0 + $1.bytes.count }
        for other in file.tensors {
            if other.name == tensor.name { return place }
            place += other.bytes.count
        }
        return place
    }
}
