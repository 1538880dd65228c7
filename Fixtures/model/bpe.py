"""Byte-level BPE: training, encoding and decoding.

Text is cut into words by the `llama-bpe` pre-tokenizer's pattern, each word becomes UTF-8 bytes,
and the most frequent neighbouring pair is merged until the vocabulary is full. All 256 bytes are
tokens, so any text can be encoded. Ids: bytes, then merges in the order learnt, then specials.
"""

from collections import Counter, defaultdict

import regex

# The name is what `tokenizer.ggml.pre` says in the GGUF file; the pattern is the one it stands for.
PRE_TOKENIZER = "llama-bpe"
PATTERN = regex.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

BOS, EOS = "<|begin_of_text|>", "<|end_of_text|>"
SPECIALS = [
    BOS,
    EOS,
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|python_tag|>",
] + [f"<|reserved_special_token_{i}|>" for i in range(9)]


def byte_alphabet():
    """The printable character that stands for each byte in GPT-2 style vocabularies."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, spare = {b: chr(b) for b in printable}, 256
    for byte in range(256):
        if byte not in table:
            table[byte] = chr(spare)
            spare += 1
    return table


ALPHABET = byte_alphabet()
BYTES = {c: b for b, c in ALPHABET.items()}


def spell(data):
    """Bytes written in the alphabet above."""
    return "".join(ALPHABET[b] for b in data)


def merges_of(keys):
    """The merges that a file's metadata tell, as bytes."""
    return [tuple(bytes(BYTES[c] for c in part) for part in line.split(" ")) for line in keys["tokenizer.ggml.merges"]]


def train(texts, size, specials=tuple(SPECIALS), bos=BOS, eos=EOS):
    """Learns a vocabulary of `size` tokens, specials included. Ties go to the smaller pair."""
    counts = Counter()
    for text in texts:
        counts.update(PATTERN.findall(text))
    words = [[bytes([b]) for b in word.encode()] for word in counts]
    weights = list(counts.values())
    pairs, places = Counter(), defaultdict(set)
    for i, word in enumerate(words):
        for pair in zip(word, word[1:]):
            pairs[pair] += weights[i]
            places[pair].add(i)
    merges = []
    while len(merges) < size - 256 - len(specials):
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for i in places.pop(best):
            for pair in zip(words[i], words[i][1:]):
                pairs[pair] -= weights[i]
            words[i] = merge(words[i], best)
            for pair in zip(words[i], words[i][1:]):
                pairs[pair] += weights[i]
                places[pair].add(i)
        del pairs[best]
    return Tokenizer(merges, specials, bos, eos)


def merge(word, pair):
    """`word` with each occurrence of `pair`, from the left, joined."""
    out, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and word[i] == pair[0] and word[i + 1] == pair[1]:
            out.append(word[i] + word[i + 1])
            i += 2
        else:
            out.append(word[i])
            i += 1
    return out


class Tokenizer:
    """A trained vocabulary: encodes text to ids and back."""

    def __init__(self, merges, specials=tuple(SPECIALS), bos=BOS, eos=EOS):
        self.merges = list(merges)
        self.specials = list(specials)
        self.tokens = [bytes([b]) for b in range(256)] + [a + b for a, b in self.merges]
        self.rank = {pair: i for i, pair in enumerate(self.merges)}
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        self.special_ids = {s: len(self.tokens) + i for i, s in enumerate(self.specials)}
        self.bos, self.eos = self.special_ids[bos], self.special_ids[eos]
        self.cache = {}

    def __len__(self):
        return len(self.tokens) + len(self.specials)

    def encode(self, text):
        """Ids of `text` taken as plain text: special tokens written in it are not recognised."""
        return [i for word in PATTERN.findall(text) for i in self.encode_word(word)]

    def encode_word(self, word):
        """Ids of one word. A word that is itself a token is taken whole, as `llama-bpe` asks."""
        if word not in self.cache:
            data = word.encode()
            parts = [data] if data in self.ids else [bytes([b]) for b in data]
            while len(parts) > 1:
                pair = min(zip(parts, parts[1:]), key=lambda p: self.rank.get(p, len(self.rank)))
                if pair not in self.rank:
                    break
                parts = merge(parts, pair)
            self.cache[word] = [self.ids[part] for part in parts]
        return self.cache[word]

    def decode(self, ids):
        """Text of `ids`; special tokens give nothing."""
        data = b"".join(self.tokens[i] for i in ids if i < len(self.tokens))
        return data.decode(errors="replace")

    def metadata(self):
        """The `tokenizer.ggml.*` entries of a GGUF file."""
        prefix = "tokenizer.ggml."
        normal, control = 1, 3
        return {
            prefix + "model": "gpt2",
            prefix + "pre": PRE_TOKENIZER,
            prefix + "tokens": [spell(t) for t in self.tokens] + self.specials,
            prefix + "token_type": [normal] * len(self.tokens) + [control] * len(self.specials),
            prefix + "merges": [f"{spell(a)} {spell(b)}" for a, b in self.merges],
            prefix + "bos_token_id": self.bos,
            prefix + "eos_token_id": self.eos,
            prefix + "add_bos_token": True,
            prefix + "add_eos_token": False,
        }
