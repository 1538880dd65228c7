"""Trains a model for the assistant and writes it as GGUF: vocabulary, cases, weights, file.

    python Fixtures/assistant/train.py --out Fixtures/edge-assistant.gguf --minutes 100 --state assistant.pt

`--state` is written every few minutes and gone on from where it exists, so training can be stopped and continued; `--from` begins with the
vocabulary and weights of a file written before, and `--mean` writes the mean of several runs (M. Wortsman et al., 2022). Without a GPU it
computes on the processor, in bfloat16 where that has instructions for it (`--float` says otherwise). What came of it is in README.md beside it.
"""

import argparse
import os
import sys
import time
from collections import Counter
from random import Random

import numpy as np
import regex
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "model"))

import bpe
import cases
import corpus
import gguf
from config import Config

BOS, END = "<|begin|>", "<|end|>"
SPECIALS = [BOS, END, "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<tool_call>", "</tool_call>"]
SPECIALS += [f"<|reserved_{i}|>" for i in range(8)]


# With this base 20 of a head's 32 pairs hardly turn within the context: they tell what a token is wherever it stands, the others where.
CONFIG = Config(vocab=4096, dim=256, layers=6, hidden=768, context=2048, kv_heads=4, rope_base=1e8)


# Written as a chat template, it is what `cases.rendered` writes.
TEMPLATE = (
    "{{ bos_token }}"
    "{%- if messages[0].role == 'system' -%}{%- set instructions = messages[0].content -%}{%- set rest = messages[1:] -%}"
    "{%- else -%}{%- set instructions = '' -%}{%- set rest = messages -%}{%- endif -%}"
    "{%- if instructions or tools -%}{{ '<|system|>' + instructions }}"
    "{%- if tools -%}{{ '\\nTools:\\n' }}{%- for tool in tools -%}{%- set f = tool.function -%}"
    "{{ f.name + '(' }}{%- for name in f.parameters.properties -%}{{ name }}{%- if not loop.last -%}{{ ', ' }}{%- endif -%}{%- endfor -%}"
    "{{ '): ' + f.description + '\\n' }}{%- endfor -%}{%- endif -%}{{ '<|end|>' }}{%- endif -%}"
    "{%- for message in rest -%}"
    "{%- if message.role == 'tool' -%}{{ '<|tool|>' + message.content + '<|end|>' }}"
    "{%- elif message.role == 'assistant' -%}{{ '<|assistant|>' }}"
    "{%- if message.content -%}{{ message.content }}{%- endif -%}"
    "{%- for call in message.tool_calls or [] -%}"
    "{{ '<tool_call>{\"name\": \"' + call.function.name + '\", \"arguments\": ' + (call.function.arguments | tojson) + '}</tool_call>' }}"
    "{%- endfor -%}{{ '<|end|>' }}"
    "{%- else -%}{{ '<|' + message.role + '|>' + message.content + '<|end|>' }}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|assistant|>' }}{%- endif -%}"
)


def make_tokenizer(size):
    """The vocabulary of cases for training and of the small model's sentences. Figures stay single, so that numbers are copied."""
    maker = cases.Maker(77)
    texts = ["".join(t for t, _ in cases.rendered(maker.case())) for _ in range(3000)]
    texts += corpus.compose(77, 4000)
    manual = os.path.join(HERE, "..", "manual")
    if os.path.isdir(manual):
        texts += [open(os.path.join(manual, f), encoding="utf-8").read() for f in sorted(os.listdir(manual)) if f.endswith(".md")]
    clean = regex.compile(r"<\|?/?[a-z_]+\|?>|\p{N}")
    return bpe.train([clean.sub(" ", t) for t in texts], size, SPECIALS, BOS, END)


class Encoder:
    """Cases as ids, with what the model is to write marked."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.split = regex.compile("(" + "|".join(map(regex.escape, SPECIALS)) + ")")

    def text(self, text):
        ids = []
        for part in self.split.split(text):
            if part in self.tokenizer.special_ids:
                ids.append(self.tokenizer.special_ids[part])
            elif part:
                ids += self.tokenizer.encode(part)
        return ids

    def case(self, pieces):
        ids, mine = self.pieces(pieces)
        return [self.tokenizer.bos, *ids], [False, *mine]

    def pieces(self, pieces):
        ids, mine = [], []
        for text, is_mine in pieces:
            new = self.text(text)
            ids += new
            mine += [is_mine] * len(new)
        return ids, mine

    def conversation(self, maker, longest):
        """A case and what is asked after it, as far as that fits: many answers for one reading of the tools and passages."""
        ids, mine = self.case(cases.rendered(maker.case()))
        for later in maker.later(maker.random.randint(2, 16)):
            more, more_mine = self.pieces(cases.turn(later))
            if len(ids) + len(more) > longest:
                break
            ids += more
            mine += more_mine
        return ids, mine


def drill(maker):
    """Something to say after: what copying begins with."""
    parts = []
    for _ in range(maker.random.randint(1, 6)):
        parts.append(maker.pick([
            lambda: maker.invented()[0], lambda: maker.value(-50, 9000, maker.pick([0, 1, 2])), maker.vehicle,
            lambda: maker.fact(maker.subject())[0], maker.filler, maker.code, lambda: maker.told_codes(maker.codes(1))[0],
        ])())
    text = maker.pick([" ", ", ", "; "]).join(parts)
    return [(f"<|user|>Repeat: {text}<|end|><|assistant|>", False), (f"{text}<|end|>", True)]


def attention(q, k, v):
    """Causal attention of grouped queries. On a processor in chunks of queries, 2 to 2.5 times as fast there as torch's own."""
    batch, heads, length, size = q.shape
    kv_heads = k.shape[1]
    if q.is_cuda:
        k, v = (t.repeat_interleave(heads // kv_heads, 1) for t in (k, v))
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    q = (q * size**-0.5).reshape(batch * kv_heads, heads // kv_heads, length, size)
    k, v = k.reshape(batch * kv_heads, length, size), v.reshape(batch * kv_heads, length, size)
    parts = []
    for start in range(0, length, 128):
        end = min(length, start + 128)
        rows = end - start
        scores = torch.bmm(q[:, :, start:end].reshape(batch * kv_heads, -1, size), k[:, :end].transpose(1, 2)).view(batch * kv_heads, -1, rows, end)
        hidden = torch.full((rows, rows), float("-inf"), dtype=q.dtype).triu(1)
        scores = torch.cat([scores[..., :start], scores[..., start:] + hidden], -1) if start else scores + hidden
        shares = torch.softmax(scores, -1).view(batch * kv_heads, -1, end)
        parts.append(torch.bmm(shares, v[:, :end]).view(batch * kv_heads, -1, rows, size))
    return torch.cat(parts, 2).view(batch, heads, length, size)


@torch.no_grad()
def able_to_copy(weights, config, generator):
    """Begins with induction heads (C. Olsson et al., 2022), which find what was said before in a like place and say what followed.

    In the first block three heads write the token before, that before it and the next into dimensions that embeddings leave free; in the
    second all four look for a place that these three match and add the embedding of what stands there. Training changes them as it
    changes the rest. Left to itself it had not made any from 29 million tokens of cases.
    """
    dim, size, scale = config.dim, config.dim // config.heads, config.dim**-0.5
    own, slots = 176, ((176, 48), (224, 16), (240, 16))
    turn = torch.linalg.qr(torch.randn(own - 1, own - 1, generator=generator))[0]
    steps = config.rope_base ** (-torch.arange(0, size, 2).float() / size)
    # The first dimension is the same for all tokens: what places are compared by.
    embedding = weights["token_embd.weight"]
    embedding[:, own:] = 0
    embedding[:, 0] = 4 * scale
    q, k, v, out = (weights[f"blk.0.attn_{x}.weight"] for x in ("q", "k", "v", "output"))
    for head, (at, count) in enumerate(slots):
        rows = slice(head * size, (head + 1) * size)
        q[rows], k[rows], v[rows] = 0, 0, 0
        for pair in range(5):
            row, angle = head * size + 2 * pair, (head + 1) * steps[pair]
            q[row, 0], q[row + 1, 0], k[row, 0] = 1.8 * angle.cos(), -1.8 * angle.sin(), 1.8
        v[head * size:head * size + count, 1:own] = turn[:count]
        out[at:at + count, head * size:head * size + count] = torch.eye(count) * scale * 1.2
    q, k, v, out = (weights[f"blk.1.attn_{x}.weight"] for x in ("q", "k", "v", "output"))
    for head in range(config.heads):
        row, part = head * size, head % 2
        q[row:row + size], k[row:row + size], v[row:row + size] = 0, 0, 0
        at = row + size - 40
        q[at:at + 24, 1:own], k[at:at + 24, 176 + 24 * part:200 + 24 * part] = 1.7 * turn[24 * part:24 * part + 24], 1.7 * torch.eye(24)
        for now, then in ((176, 224), (224, 240)):
            at = row + size - (16 if now == 176 else 8)
            q[at:at + 8, now + 8 * part:now + 8 + 8 * part] = k[at:at + 8, then + 8 * part:then + 8 + 8 * part] = 1.7 * torch.eye(8)
        count = min(44, own - 1 - 44 * head)
        v[row:row + count, 1:own] = turn[44 * head:44 * head + count]
        out[1:own, row:row + count] = 3 * scale * turn[44 * head:44 * head + count].T


class Model(torch.nn.Module):
    def __init__(self, config, seed):
        super().__init__()
        self.config = config
        generator = torch.Generator().manual_seed(seed)
        self.weights = torch.nn.ParameterDict()
        for name, shape in config.shapes():
            if len(shape) == 1:
                value = torch.ones(shape)
            elif "attn_output" in name or "ffn_down" in name:
                value = torch.zeros(shape)
            else:
                value = torch.randn(shape, generator=generator) * shape[1] ** -0.5
            self.weights[name.replace(".", "/")] = torch.nn.Parameter(value)
        able_to_copy({n.replace("/", "."): p for n, p in self.weights.items()}, config, generator)
        size = config.dim // config.heads
        steps = config.rope_base ** (-torch.arange(0, size, 2).float() / size)
        angles = torch.arange(config.context).float()[:, None] * steps
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def rotated(self, x):
        """Neighbouring pairs turn, as the `llama` architecture of GGUF has it."""
        length = x.shape[2]
        cos, sin = self.cos[:length].to(x.dtype), self.sin[:length].to(x.dtype)
        even, odd = x[..., 0::2], x[..., 1::2]
        return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)

    def forward(self, tokens, dtype):
        """Normed states (batch, positions, dim) of tokens (batch, positions)."""
        c = self.config
        w = {k.replace("/", "."): v.to(dtype) for k, v in self.weights.items()}
        batch, length = tokens.shape
        x = F.embedding(tokens, w["token_embd.weight"])
        for i in range(c.layers):
            b = f"blk.{i}."
            h = F.rms_norm(x, (c.dim,), w[b + "attn_norm.weight"], c.epsilon)
            qkv = F.linear(h, torch.cat([w[b + "attn_q.weight"], w[b + "attn_k.weight"], w[b + "attn_v.weight"]]))
            size = c.dim // c.heads
            qkv = qkv.view(batch, length, c.heads + 2 * c.kv_heads, size).transpose(1, 2)
            q, k, v = qkv.split([c.heads, c.kv_heads, c.kv_heads], 1)
            q, k = self.rotated(q), self.rotated(k)
            a = attention(q, k, v)
            x = x + F.linear(a.transpose(1, 2).reshape(batch, length, c.dim), w[b + "attn_output.weight"])
            h = F.rms_norm(x, (c.dim,), w[b + "ffn_norm.weight"], c.epsilon)
            gate, up = F.linear(h, torch.cat([w[b + "ffn_gate.weight"], w[b + "ffn_up.weight"]])).chunk(2, -1)
            x = x + F.linear(F.silu(gate) * up, w[b + "ffn_down.weight"])
        return F.rms_norm(x, (c.dim,), w["output_norm.weight"], c.epsilon), w["token_embd.weight"]


def recalls(random, encoder, rows):
    """Rows of names with values, said in one order and then in another, and which tokens of the second can be told from the first.

    The distances must vary: with a fixed one attention learns the distance instead of what stands there.
    """
    figures, vocab, mark = encoder.text("0123456789."), len(encoder.tokenizer), encoder.text(";")[0]
    tokens, wanted = [], []
    for _ in range(rows):
        pairs = []
        for _ in range(random.randint(2, 12)):
            key = [random.randrange(len(SPECIALS), vocab) for _ in range(random.randint(1, 3))]
            source = figures if random.random() < 0.5 else range(len(SPECIALS), vocab)
            pairs.append((key, [random.choice(source) for _ in range(random.randint(1, 6))]))
        row = [t for key, value in pairs for t in (*key, *value, mark)] + [encoder.tokenizer.eos]
        known = [False] * len(row)
        random.shuffle(pairs)
        for key, value in pairs:
            row += [*key, *value, mark]
            known += [False] * len(key) + [True] * (len(value) + 1)
        tokens.append(row)
        wanted.append(known)
    length = max(map(len, tokens))
    padded_tokens = torch.tensor([t + [mark] * (length - len(t)) for t in tokens])
    return padded_tokens, torch.tensor([k + [False] * (length - len(k)) for k in wanted])


def batches(encoder, seed, budget, longest, is_easy):
    """Endless batches of about `budget` tokens, of conversations of like length."""
    maker = cases.Maker(seed)
    while True:
        pool, maker.easy = [], is_easy()
        for _ in range(256):
            what = maker.random.random()
            if what < 0.03:
                ids, mine = encoder.case(drill(maker))
            elif what < 0.17:
                ids, mine = encoder.case(maker.bare_calls(maker.random.randint(6, 12)))
            elif what < 0.25:
                ids, mine = encoder.case(maker.bare_complaints(maker.random.randint(4, 9)))
            else:
                ids, mine = encoder.conversation(maker, longest)
            if len(ids) <= longest:
                pool.append((ids, mine))
        pool.sort(key=lambda c: len(c[0]))
        groups, at = [], 0
        while at < len(pool):
            count = 1
            while at + count < len(pool) and (count + 1) * len(pool[at + count][0]) <= budget:
                count += 1
            groups.append(pool[at:at + count])
            at += count
        maker.random.shuffle(groups)
        yield from groups


def padded(group, end):
    length = max(len(ids) for ids, _ in group)
    tokens = torch.full((len(group), length), end, dtype=torch.long)
    mine = torch.zeros((len(group), length), dtype=torch.bool)
    real = torch.zeros((len(group), length), dtype=torch.bool)
    for i, (ids, m) in enumerate(group):
        tokens[i, :len(ids)] = torch.tensor(ids)
        mine[i, :len(ids)] = torch.tensor(m)
        real[i, :len(ids)] = True
    return tokens, mine, real


@torch.no_grad()
def judge(model, encoder, items, dtype, device):
    """Share of cases in which each token that the model writes is its first choice, by kind: what greedy writing would give."""
    right, count, loss, tokens_seen = Counter(), Counter(), 0.0, 0
    items = sorted(items, key=lambda c: len(c[1]))
    for at in range(0, len(items), 16):
        group = items[at:at + 16]
        tokens, mine, _ = padded([(ids, m) for _, ids, m in group], 0)
        tokens, mine = tokens.to(device), mine.to(device)
        x, out = model(tokens[:, :-1], dtype)
        want = mine[:, 1:]
        logits = F.linear(x[want], out).float()
        target = tokens[:, 1:][want]
        loss += F.cross_entropy(logits, target, reduction="sum").item()
        tokens_seen += target.numel()
        wrong = torch.zeros_like(want)
        wrong[want] = logits.argmax(-1) != target
        for (kind, _, _), bad in zip(group, wrong.any(1).tolist()):
            count[kind] += 1
            right[kind] += not bad
    return right, count, loss / tokens_seen


def save_gguf(path, config, tokenizer, weights, kind):
    entries = tokenizer.metadata()
    # The marks of calls are text that is shown (4), not control tokens (3).
    for mark in ("<tool_call>", "</tool_call>"):
        entries["tokenizer.ggml.token_type"][tokenizer.special_ids[mark]] = 4
    keys = {
        "general.architecture": "llama",
        "general.type": "model",
        "general.name": "Edge Assistant",
        "general.description": "Reads passages of a vehicle's manual, asks the vehicle through tools, and answers in plain English.",
        "general.license": "apache-2.0",
        "general.file_type": gguf.FILE_TYPES[kind],
        "general.quantization_version": 2,
        **config.metadata(),
        **entries,
        "tokenizer.ggml.eot_token_id": tokenizer.eos,
        "tokenizer.ggml.padding_token_id": tokenizer.eos,
        "tokenizer.chat_template": TEMPLATE,
    }
    tensors = {n: (weights[n].float().cpu().numpy(), kind if len(s) == 2 else "F32") for n, s in config.shapes()}
    gguf.write(path, keys, tensors)


def has_bfloat16():
    """Whether this processor multiplies bfloat16 by instructions of its own; without them it is slower than float32."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            features = file.read()
            return "avx512_bf16" in features or "amx_bf16" in features
    except OSError:
        return False


def main():
    parser = argparse.ArgumentParser(description="Train a model for the assistant.")
    parser.add_argument("--out", default="edge-assistant.gguf")
    parser.add_argument("--state", default="edge-assistant.pt")
    parser.add_argument("--type", choices=("F32", "F16", "Q8_0"), default="F16")
    parser.add_argument("--from", dest="start", help="a GGUF file of this script's, where there is no state")
    parser.add_argument("--mean", nargs="+", help="states of other runs or other times: write the mean of their weights and those of --state, and train nothing")
    parser.add_argument("--float", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=100)
    parser.add_argument("--batch", type=int, default=3072, help="tokens of a step")
    parser.add_argument("--recalls", type=int, default=400, help="steps of names and values before the cases, at most")
    parser.add_argument("--easy", type=int, default=6_000_000, help="tokens of short cases to begin with")
    parser.add_argument("--longest", type=int, default=896)
    parser.add_argument("--rate", type=float, default=0.0015)
    parser.add_argument("--decay", type=float, default=0.3, help="share of the time over which the rate falls to nothing")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    config, device = CONFIG, options.device
    dtype = getattr(torch, options.float) if options.float != "auto" else torch.bfloat16 if device != "cpu" or has_bfloat16() else torch.float32

    state = torch.load(options.state, weights_only=False) if os.path.exists(options.state) else None
    start = gguf.Reader(options.start) if options.start and not state else None
    merges = state["merges"] if state else start and bpe.merges_of(start.keys)
    tokenizer = bpe.Tokenizer(merges, SPECIALS, BOS, END) if merges else make_tokenizer(config.vocab)
    encoder = Encoder(tokenizer)
    model = Model(config, options.seed).to(device)
    if start:
        assert tokenizer.metadata()["tokenizer.ggml.tokens"] == start.keys["tokenizer.ggml.tokens"]
        with torch.no_grad():
            for name, value in model.weights.items():
                value.copy_(torch.from_numpy(start.tensors[name.replace("/", ".")].copy()))
    matrices = [p for n, p in model.weights.items() if p.ndim == 2 and "token_embd" not in n]
    others = [p for n, p in model.weights.items() if p.ndim == 1 or "token_embd" in n]
    adam = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}], lr=options.rate, betas=(0.9, 0.95))
    step = seen = rounds = 0
    if state:
        model.load_state_dict(state["model"])
        adam.load_state_dict(state["adam"])
        step, seen, rounds = state["step"], state["seen"], state["rounds"]
        print(f"goes on from step {step}, {seen} tokens", flush=True)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(tokenizer)} tokens", flush=True)

    def write():
        save_gguf(options.out, config, tokenizer, {n.replace("/", "."): p.detach() for n, p in model.weights.items()}, options.type)

    if options.mean:
        assert state, "--mean needs a state to begin with"
        with torch.no_grad():
            for path in options.mean:
                other = torch.load(path, map_location=device, weights_only=False)["model"]
                for name, value in model.weights.items():
                    value.add_(other["weights." + name])
            for value in model.weights.values():
                value.div_(1 + len(options.mean))
        write()
        return

    maker = cases.Maker(4711, held=True)
    held = []
    for _ in range(300):
        case = maker.case()
        held.append((case["kind"], *encoder.case(cases.rendered(case))))

    def keep():
        torch.save({"model": model.state_dict(), "adam": adam.state_dict(), "step": step, "seen": seen, "rounds": rounds + 1,
                    "merges": tokenizer.merges}, options.state + ".new")
        os.replace(options.state + ".new", options.state)
        write()

    def report():
        right, count, loss = judge(model, encoder, held, dtype, device)
        total = sum(right.values()) / len(held)
        print(f"  held out: {total:.3f} exact, loss {loss:.4f}; " + " ".join(f"{k} {right[k]}/{count[k]}" for k in sorted(count)), flush=True)

    random = Random(options.seed)

    def learn(tokens, wanted, weights, rate):
        """A step on tokens (batch, positions), of which those wanted are to be told; the loss of each."""
        for g in adam.param_groups:
            g["lr"] = rate
        wanted = wanted[:, 1:]
        tokens, wanted, weights = tokens.to(device), wanted.to(device), weights.to(device)
        x, out = model(tokens[:, :-1], dtype)
        losses = F.cross_entropy(F.linear(x[wanted], out).float(), tokens[:, 1:][wanted], reduction="none")
        ((losses * weights).sum() / weights.sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        model.zero_grad(set_to_none=True)
        return losses.detach()

    def recall(rate):
        tokens, wanted = recalls(random, encoder, 20)
        return learn(tokens, wanted, torch.ones(int(wanted[:, 1:].sum())), rate).mean().item()

    if not state and not start:
        values = []
        for i in range(options.recalls):
            values.append(recall(0.001 * min(1.0, (i + 1) / 60)))
            if i % 50 == 49:
                print(f"recall {i + 1} loss {np.mean(values[-50:]):.4f}", flush=True)
                if np.mean(values[-50:]) < 0.05:
                    break
        keep()
    began, recent, last = time.time(), [], time.time()
    end = tokenizer.eos
    source = batches(encoder, options.seed + 1000 * (rounds + 1), options.batch, options.longest, lambda: seen < options.easy)
    for group in source:
        share = (time.time() - began) / (options.minutes * 60)
        if share >= 1:
            break
        scale = min(1.0, (step + 1) / 60, max(0.0, (1 - share) / options.decay) if options.decay else 1.0)
        if random.random() < (0.2 if step < 1500 and not options.start else 0.03):
            recall(options.rate * scale)
        tokens, mine, real = padded(group, end)
        # Of what the model need not write, a sample is learnt too: it teaches the words.
        sample = real & ~mine & (torch.rand(mine.shape) < 0.12)
        wanted = mine | sample
        own = mine[:, 1:][wanted[:, 1:]]
        losses = learn(tokens, wanted, torch.where(own, 1.0, 0.3), options.rate * scale)
        recent = [*recent[-49:], losses[own].mean().item()]
        step += 1
        seen += int(real.sum())
        if step % 50 == 0:
            print(f"step {step} tokens {seen} loss {np.mean(recent):.4f} rate {scale:.2f} {time.time() - began:.0f} s", flush=True)
        if step % 400 == 0:
            report()
        if time.time() - last > 240:
            keep()
            last = time.time()
    report()
    keep()


if __name__ == "__main__":
    main()
