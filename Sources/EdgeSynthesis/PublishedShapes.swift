internal import EdgeGGUF

extension ModelShape {
    /// The shapes that can be asked for by name.
    package static let all: [ModelShape] = llamas + qwens + gemmas + others

    private static let llamas = [
        ModelShape(
            name: "llama-3.2-1b", blockCount: 16, embeddingLength: 2048, feedForwardLength: 8192, headCount: 32,
            keyValueHeadCount: 8, headSize: 64, vocabularySize: 128_256, isTied: true, contextLength: 131_072,
            ropeBase: 500_000),
        ModelShape(
            name: "llama-3.2-3b", blockCount: 28, embeddingLength: 3072, feedForwardLength: 8192, headCount: 24,
            keyValueHeadCount: 8, headSize: 128, vocabularySize: 128_256, isTied: true, contextLength: 131_072,
            ropeBase: 500_000),
        ModelShape(
            name: "tinyllama-1.1b", blockCount: 22, embeddingLength: 2048, feedForwardLength: 5632, headCount: 32,
            keyValueHeadCount: 4, headSize: 64, vocabularySize: 32_000, isTied: false, contextLength: 2048,
            ropeBase: 10_000),
        ModelShape(
            name: "smollm2-135m", blockCount: 30, embeddingLength: 576, feedForwardLength: 1536, headCount: 9,
            keyValueHeadCount: 3, headSize: 64, vocabularySize: 49_152, isTied: true, contextLength: 8192,
            ropeBase: 100_000),
        // Files of Mistral 7B say `llama`.
        ModelShape(
            name: "mistral-7b", blockCount: 32, embeddingLength: 4096, feedForwardLength: 14_336, headCount: 32,
            keyValueHeadCount: 8, headSize: 128, vocabularySize: 32_000, isTied: false, contextLength: 32_768,
            ropeBase: 10_000),
        ModelShape(
            name: "ministral-3-3b", architecture: "mistral3", blockCount: 26, embeddingLength: 3072,
            feedForwardLength: 9216, headCount: 32, keyValueHeadCount: 8, headSize: 128, vocabularySize: 131_072,
            isTied: true, contextLength: 262_144, ropeBase: 1_000_000,
            statements: [
                ("rope.scaling.type", .string("yarn")), ("rope.scaling.factor", .float32(16)),
                ("rope.scaling.original_context_length", .uint32(16_384)),
                ("rope.scaling.yarn_beta_fast", .float32(32)), ("rope.scaling.yarn_beta_slow", .float32(1)),
                ("rope.scaling.yarn_log_multiplier", .float32(1)), ("attention.temperature_scale", .float32(0.1)),
            ]),
    ]

    private static let qwens = [
        ModelShape(
            name: "qwen2.5-0.5b", architecture: "qwen2", blockCount: 24, embeddingLength: 896,
            feedForwardLength: 4864, headCount: 14, keyValueHeadCount: 2, headSize: 64, vocabularySize: 151_936,
            isTied: true, contextLength: 32_768, ropeBase: 1_000_000, normEpsilon: 1e-6),
        ModelShape(
            name: "qwen3-0.6b", architecture: "qwen3", blockCount: 28, embeddingLength: 1024, feedForwardLength: 3072,
            headCount: 16, keyValueHeadCount: 8, headSize: 128, vocabularySize: 151_936, isTied: true,
            contextLength: 40_960, ropeBase: 1_000_000, normEpsilon: 1e-6),
        ModelShape(
            name: "qwen3-30b-a3b", architecture: "qwen3moe", blockCount: 48, embeddingLength: 2048,
            feedForwardLength: 6144, headCount: 32, keyValueHeadCount: 4, headSize: 128, vocabularySize: 151_936,
            isTied: false, contextLength: 40_960, ropeBase: 1_000_000, normEpsilon: 1e-6,
            experts: Experts(count: 128, usedCount: 8, feedForwardLength: 768)),
    ]

    private static let gemmas = [
        ModelShape(
            name: "gemma-2b", architecture: "gemma", blockCount: 18, embeddingLength: 2048, feedForwardLength: 16_384,
            headCount: 8, keyValueHeadCount: 1, headSize: 256, vocabularySize: 256_000, isTied: true,
            contextLength: 8192, ropeBase: 10_000, normEpsilon: 1e-6),
        ModelShape(
            name: "gemma-2-2b", architecture: "gemma2", blockCount: 26, embeddingLength: 2304,
            feedForwardLength: 9216, headCount: 8, keyValueHeadCount: 4, headSize: 256, vocabularySize: 256_000,
            isTied: true, contextLength: 8192, ropeBase: 10_000, normEpsilon: 1e-6,
            statements: [
                ("attn_logit_softcapping", .float32(50)), ("final_logit_softcapping", .float32(30)),
                ("attention.sliding_window", .uint32(4096)),
            ]),
        ModelShape(
            name: "gemma-3-1b", architecture: "gemma3", blockCount: 26, embeddingLength: 1152,
            feedForwardLength: 6912, headCount: 4, keyValueHeadCount: 1, headSize: 256, vocabularySize: 262_144,
            isTied: true, contextLength: 32_768, ropeBase: 1_000_000, normEpsilon: 1e-6,
            statements: [("attention.sliding_window", .uint32(512))]),
    ]

    private static let others = [
        ModelShape(
            name: "phi-3-mini", architecture: "phi3", blockCount: 32, embeddingLength: 3072, feedForwardLength: 8192,
            headCount: 32, keyValueHeadCount: 32, headSize: 96, vocabularySize: 32_064, isTied: false,
            contextLength: 4096, ropeBase: 10_000,
            statements: [
                ("rope.scaling.original_context_length", .uint32(4096)), ("attention.sliding_window", .uint32(2047)),
            ]),
        ModelShape(
            name: "granite-3.1-2b", architecture: "granite", blockCount: 40, embeddingLength: 2048,
            feedForwardLength: 8192, headCount: 32, keyValueHeadCount: 8, headSize: 64, vocabularySize: 49_155,
            isTied: true, contextLength: 131_072, ropeBase: 5_000_000,
            statements: [
                ("attention.scale", .float32(0.015625)), ("embedding_scale", .float32(12)),
                ("residual_scale", .float32(0.22)), ("logit_scale", .float32(8)),
            ]),
        ModelShape(
            name: "olmo-2-1b", architecture: "olmo2", blockCount: 16, embeddingLength: 2048, feedForwardLength: 8192,
            headCount: 16, keyValueHeadCount: 16, headSize: 128, vocabularySize: 100_352, isTied: false,
            contextLength: 4096, ropeBase: 500_000, normEpsilon: 1e-6),
        ModelShape(
            name: "smollm3-3b", architecture: "smollm3", blockCount: 36, embeddingLength: 2048,
            feedForwardLength: 11_008, headCount: 16, keyValueHeadCount: 4, headSize: 128, vocabularySize: 128_256,
            isTied: true, contextLength: 65_536, ropeBase: 5_000_000, normEpsilon: 1e-6),
        ModelShape(
            name: "stablelm-2-1.6b", architecture: "stablelm", blockCount: 24, embeddingLength: 2048,
            feedForwardLength: 5632, headCount: 32, keyValueHeadCount: 32, headSize: 64, vocabularySize: 100_352,
            isTied: false, contextLength: 4096, ropeBase: 10_000, rotaryCount: 16,
            statements: [("use_parallel_residual", .bool(false))]),
        ModelShape(
            name: "starcoder2-3b", architecture: "starcoder2", blockCount: 30, embeddingLength: 3072,
            feedForwardLength: 12_288, headCount: 24, keyValueHeadCount: 2, headSize: 128, vocabularySize: 49_152,
            isTied: true, contextLength: 16_384, ropeBase: 999_999.44),
    ]
}
