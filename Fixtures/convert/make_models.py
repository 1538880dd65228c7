"""Small models with random weights of every family that `edge-llm convert` knows, saved by transformers, with its logits.

usage: make_models.py OUT   (torch 2.13, transformers 5.24)

Each folder OUT/NAME has config.json, the weights, and golden.json: `ids`, and for the last position `logits`, or `vector` of encoders
(the mean of the last hidden states), computed in f32. GPTQ and AWQ checkpoints are packed here, by their papers' code; their golden
values come from the weights that the packed ones stand for."""

import json
import os
import sys

import torch
import transformers as t

WIDTH, HEADS, KV, LAYERS, INNER, TOKENS = 32, 4, 2, 2, 32, 64
COMMON = dict(
    vocab_size=TOKENS, hidden_size=WIDTH, num_attention_heads=HEADS, num_hidden_layers=LAYERS, intermediate_size=INNER,
    max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0)
DECODER = dict(COMMON, num_key_value_heads=KV)
LLAMA3 = dict(
    rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=64)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=64)
LONG = dict(
    rope_type="longrope", rope_theta=10000.0, short_factor=[1.0, 1.1, 1.2, 1.3],
    long_factor=[1.0, 1.5, 2.0, 2.5], original_max_position_embeddings=64)


def theta(value=10000.0, **more):
    return dict(rope_type="default", rope_theta=value, **more)


# name: (class of the model, class of its configuration, settings, type of the weights)
MODELS = {
    "llama": ("LlamaForCausalLM", "LlamaConfig", dict(DECODER, rope_parameters=theta()), "float32"),
    "llama3": ("LlamaForCausalLM", "LlamaConfig",
               dict(DECODER, rope_parameters=LLAMA3, tie_word_embeddings=True), "bfloat16"),
    "llama-bias": ("LlamaForCausalLM", "LlamaConfig",
                   dict(DECODER, attention_bias=True, mlp_bias=True, head_dim=16, rope_parameters=theta()), "float16"),
    "llama-linear": ("LlamaForCausalLM", "LlamaConfig",
                     dict(DECODER, rope_parameters=dict(theta(), rope_type="linear", factor=2.0)), "bfloat16"),
    "llama-yarn": ("LlamaForCausalLM", "LlamaConfig", dict(DECODER, rope_parameters=YARN), "bfloat16"),
    "mistral": ("MistralForCausalLM", "MistralConfig",
                dict(DECODER, sliding_window=None, rope_parameters=theta()), "bfloat16"),
    "mistral-window": ("MistralForCausalLM", "MistralConfig",
                       dict(DECODER, sliding_window=8, rope_parameters=theta()), "bfloat16"),
    "mixtral": ("MixtralForCausalLM", "MixtralConfig",
                dict(DECODER, num_local_experts=4, num_experts_per_tok=2, rope_parameters=theta()), "bfloat16"),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", dict(DECODER, rope_parameters=theta(1000000.0)), "bfloat16"),
    "qwen3": ("Qwen3ForCausalLM", "Qwen3Config",
              dict(DECODER, head_dim=16, tie_word_embeddings=True, rope_parameters=theta(1000000.0)), "bfloat16"),
    "qwen3moe": ("Qwen3MoeForCausalLM", "Qwen3MoeConfig",
                 dict(DECODER, head_dim=16, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16,
                      norm_topk_prob=True, rope_parameters=theta()), "bfloat16"),
    "phi3": ("Phi3ForCausalLM", "Phi3Config", dict(DECODER, rope_parameters=theta(), sliding_window=None), "bfloat16"),
    "phi3-long": ("Phi3ForCausalLM", "Phi3Config",
                  dict(DECODER, rope_parameters=LONG, original_max_position_embeddings=64, sliding_window=None),
                  "bfloat16"),
    "phi3-partial": ("Phi3ForCausalLM", "Phi3Config",
                     dict(DECODER, rope_parameters=theta(partial_rotary_factor=0.5), sliding_window=None,
                          tie_word_embeddings=True), "bfloat16"),
    "gemma": ("GemmaForCausalLM", "GemmaConfig", dict(DECODER, head_dim=16, rope_parameters=theta()), "bfloat16"),
    "gemma2": ("Gemma2ForCausalLM", "Gemma2Config",
               dict(DECODER, head_dim=16, query_pre_attn_scalar=16, sliding_window=8, rope_parameters=theta()), "bfloat16"),
    "gemma3": ("Gemma3ForCausalLM", "Gemma3TextConfig",
               dict(DECODER, num_hidden_layers=7, head_dim=16, query_pre_attn_scalar=16, sliding_window=8,
                    rope_parameters=dict(
                        sliding_attention=theta(), full_attention=dict(theta(1000000.0), rope_type="linear", factor=8.0))),
               "bfloat16"),
    "granite": ("GraniteForCausalLM", "GraniteConfig",
                dict(DECODER, embedding_multiplier=12.0, residual_multiplier=0.22, attention_multiplier=0.0625,
                     logits_scaling=8.0, tie_word_embeddings=True, rope_parameters=theta()), "bfloat16"),
    "olmo2": ("Olmo2ForCausalLM", "Olmo2Config", dict(DECODER, rope_parameters=theta(500000.0)), "bfloat16"),
    "olmo3": ("Olmo3ForCausalLM", "Olmo3Config",
              dict(DECODER, num_hidden_layers=5, sliding_window=8, rope_parameters=theta(500000.0)), "bfloat16"),
    "smollm3": ("SmolLM3ForCausalLM", "SmolLM3Config",
                dict(DECODER, num_hidden_layers=5, rope_parameters=theta(2000000.0)), "bfloat16"),
    "stablelm": ("StableLmForCausalLM", "StableLmConfig",
                 dict(DECODER, use_qkv_bias=True, rope_parameters=theta(partial_rotary_factor=0.25)), "bfloat16"),
    "starcoder2": ("Starcoder2ForCausalLM", "Starcoder2Config",
                   dict(DECODER, use_bias=True, sliding_window=None, rope_parameters=theta()), "bfloat16"),
    "bert": ("BertModel", "BertConfig", dict(COMMON, type_vocab_size=2), "bfloat16"),
    "nomic-bert": ("NomicBertModel", "NomicBertConfig", dict(COMMON, rope_parameters=theta(1000.0)), "bfloat16"),
    "bert-rank": ("BertForSequenceClassification", "BertConfig", dict(COMMON, type_vocab_size=2, num_labels=2), "bfloat16"),
    "gemma3-image": ("Gemma3ForConditionalGeneration", "Gemma3Config",
                     dict(text_config=dict(DECODER, head_dim=16, query_pre_attn_scalar=16, sliding_window=8,
                                           rope_parameters=dict(sliding_attention=theta(), full_attention=theta(1000000.0))),
                          vision_config=dict(hidden_size=16, num_attention_heads=2, num_hidden_layers=1,
                                             intermediate_size=16, image_size=28, patch_size=14)), "bfloat16"),
    "xlm-roberta": ("XLMRobertaModel", "XLMRobertaConfig",
                    dict(COMMON, max_position_embeddings=258, pad_token_id=1, bos_token_id=0, type_vocab_size=1), "bfloat16"),
    "xlm-roberta-rank": ("XLMRobertaForSequenceClassification", "XLMRobertaConfig",
                         dict(COMMON, max_position_embeddings=258, pad_token_id=1, bos_token_id=0, type_vocab_size=1,
                              num_labels=1), "bfloat16"),
}


def golden(model, number, folder):
    """Writes golden.json: what a model in f32 makes of some ids."""
    ids = torch.randint(3, TOKENS, (1, 24), generator=torch.Generator().manual_seed(number))
    with torch.no_grad():
        result = model(input_ids=ids)
    content = dict(ids=ids[0].tolist())
    if not hasattr(result, "logits"):
        content["vector"] = result.last_hidden_state[0].mean(0).tolist()
    elif result.logits.dim() == 2:
        content["scores"] = result.logits[0].tolist()
    else:
        content["logits"] = result.logits[0, -1].tolist()
    with open(os.path.join(folder, "golden.json"), "w") as file:
        json.dump(content, file)


def make(kind, configuration, settings, number):
    torch.manual_seed(number)
    config = getattr(t, configuration)(**settings)
    config.initializer_range = 0.15
    config._attn_implementation = "eager"
    model = getattr(t, kind)(config).eval()
    with torch.no_grad():
        # Norms and biases that begin as ones and zeros would hide a mistake in them.
        for value in model.parameters():
            if value.dim() == 1:
                value += 0.2 * torch.randn_like(value)
    return model


def quantize(weight, group, symmetric):
    """Levels [rows, columns], zeros and scales [rows, groups] of 4 bits, and the weights they stand for."""
    rows, columns = weight.shape
    parts = weight.reshape(rows, columns // group, group)
    if symmetric:
        scale = parts.abs().amax(-1) / 7.5
        zero = torch.full_like(scale, 8)
    else:
        low, high = parts.amin(-1).clamp(max=0), parts.amax(-1).clamp(min=0)
        scale = (high - low) / 15
        # GPTQ stores the zero less 1.
        zero = (-low / scale).round().clamp(1, 15)
    scale = scale.to(torch.float16)
    wide = scale.float()[..., None]
    levels = (parts / wide + zero[..., None]).round().clamp(0, 15)
    return levels.reshape(rows, columns).int(), zero.int(), scale, ((levels - zero[..., None]) * wide).reshape(rows, columns)


def packed(values, order):
    """Eight values of 4 bits a word, along the last dimension; value order[i] in the bits from 4 i."""
    words = values.reshape(*values.shape[:-1], -1, 8).to(torch.int64)
    total = sum(words[..., order[i]] << (4 * i) for i in range(8))
    return torch.where(total >= 2**31, total - 2**32, total).to(torch.int32)


def packed_model(folder, number, method, group, symmetric=True, shuffled=False):
    model = make(*MODELS["llama"][:3], number)
    config = model.config
    tensors = {}
    plain = range(8)
    for key, value in list(model.state_dict().items()):
        if not key.endswith("_proj.weight"):
            tensors[key] = value.to(torch.float16)
            value.copy_(tensors[key].float())
            continue
        base = key[: -len(".weight")]
        columns = value.shape[1]
        groups = torch.arange(columns) // group
        order = torch.randperm(columns) if shuffled else torch.arange(columns)
        levels, zeros, scales, meant = quantize(value[:, order], group, symmetric)
        back = torch.argsort(order)
        levels, meant, groups = levels[:, back], meant[:, back], groups[back]
        value.copy_(meant)
        if method == "gptq":
            tensors[base + ".qweight"] = packed(levels, plain).T.contiguous()
            tensors[base + ".qzeros"] = packed(zeros.T - 1, plain).contiguous()
            tensors[base + ".g_idx"] = groups.int()
        else:
            interleaved = [0, 2, 4, 6, 1, 3, 5, 7]
            tensors[base + ".qweight"] = packed(levels.T, interleaved).contiguous()
            tensors[base + ".qzeros"] = packed(zeros.T, interleaved).contiguous()
        tensors[base + ".scales"] = scales.T.contiguous()
    os.makedirs(folder, exist_ok=True)
    from safetensors.torch import save_file
    save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    content = config.to_diff_dict()
    content["architectures"] = ["LlamaForCausalLM"]
    content["quantization_config"] = dict(
        quant_method=method, bits=4, group_size=group, desc_act=shuffled, sym=symmetric,
        **(dict(version="gemm", zero_point=True) if method == "awq" else {}))
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(content, file, indent=2)
    golden(model, number, folder)


def main(out):
    for number, (name, (kind, configuration, settings, dtype)) in enumerate(MODELS.items()):
        folder = os.path.join(out, name)
        model = make(kind, configuration, settings, number).to(getattr(torch, dtype))
        # One in parts, as large models come.
        model.save_pretrained(folder, **(dict(max_shard_size="20KB") if name == "mistral" else {}))
        if os.path.exists(os.path.join(folder, "generation_config.json")):
            os.remove(os.path.join(folder, "generation_config.json"))
        # Read anew: the frequencies of a model that was half as precise stay half as precise.
        model = getattr(t, kind).from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        golden(model, number, folder)
        print(name, flush=True)
    packed_model(os.path.join(out, "gptq"), 100, "gptq", 32)
    packed_model(os.path.join(out, "gptq-asymmetric"), 101, "gptq", 32, symmetric=False)
    packed_model(os.path.join(out, "gptq-shuffled"), 102, "gptq", 16, shuffled=True)
    packed_model(os.path.join(out, "awq"), 103, "awq", 32, symmetric=False)


if __name__ == "__main__":
    main(sys.argv[1])
