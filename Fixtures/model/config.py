"""The sizes of a model of the Llama architecture, and what follows from them for a GGUF file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """Sizes. To grow the model, change these; nothing else depends on them."""

    vocab: int = 1024
    dim: int = 128
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    hidden: int = 320
    context: int = 512
    rope_base: float = 10000.0
    epsilon: float = 1e-5

    @property
    def head_dim(self):
        return self.dim // self.heads

    def shapes(self):
        """Name and shape of each weight."""
        kv = self.kv_heads * self.head_dim
        yield "token_embd.weight", (self.vocab, self.dim)
        for i in range(self.layers):
            yield f"blk.{i}.attn_norm.weight", (self.dim,)
            yield f"blk.{i}.attn_q.weight", (self.dim, self.dim)
            yield f"blk.{i}.attn_k.weight", (kv, self.dim)
            yield f"blk.{i}.attn_v.weight", (kv, self.dim)
            yield f"blk.{i}.attn_output.weight", (self.dim, self.dim)
            yield f"blk.{i}.ffn_norm.weight", (self.dim,)
            yield f"blk.{i}.ffn_gate.weight", (self.hidden, self.dim)
            yield f"blk.{i}.ffn_up.weight", (self.hidden, self.dim)
            yield f"blk.{i}.ffn_down.weight", (self.dim, self.hidden)
        yield "output_norm.weight", (self.dim,)

    def metadata(self):
        """The `llama.*` entries of a GGUF file."""
        return {
            "llama.vocab_size": self.vocab,
            "llama.context_length": self.context,
            "llama.embedding_length": self.dim,
            "llama.block_count": self.layers,
            "llama.feed_forward_length": self.hidden,
            "llama.attention.head_count": self.heads,
            "llama.attention.head_count_kv": self.kv_heads,
            "llama.attention.layer_norm_rms_epsilon": self.epsilon,
            "llama.rope.dimension_count": self.head_dim,
            "llama.rope.freq_base": self.rope_base,
        }
