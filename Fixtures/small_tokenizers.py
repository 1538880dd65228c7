"""Writes small_tokenizers.json: small vocabularies of the families that have no recorded one, with texts and expected ids.

    pip install sentencepiece==0.2.3 tokenizers==0.23.3 protobuf
    python3 small_tokenizers.py small_tokenizers.json

The ids of `unigram` come from sentencepiece, those of `wordpiece` from the tokenizers library. `rwkv` has no package: its
ids come from the few lines of `longest_first` below.
"""

import base64
import io
import json
import random
import sys
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

WORDS = (
    "the car drives over a bridge near our old town and stops where rain falls on small houses while people wait for "
    "light to change before crossing streets with bags full of bread fruit coffee and newspapers from yesterday"
).split()

TEXTS = [
    "", " ", "   ", "the", " the", "the car", "the  car   stops ", "\tthe\ncar", "The Car", "bridges, towns; houses!",
    "\ufb01sh", "\uff41\uff42\uff43", "wait\u2026 for it", "soft\u00adhyphen", "cafe\u0301", "caf\u00e9", "\u65e5\u672c",
    "xyz", "x\u65e5y", "\u3297", "a\u3000b", "newspaper newspapers", "don't", "12 345", "\U0001f600 car", "e\u0301\u0301",
    "the\u00a0car", "\u0130stanbul", "\u0928\u093f", "\ud55c\uad6d", "UPPER lower", "a.b,c", "<s>the</s>", "the<unk>car",
]

RULES = [
    ("\ufb01", "fi"), ("\uff41", "a"), ("\uff42", "b"), ("\uff43", "c"), ("\u2026", "..."), ("\u00ad", ""),
    ("e\u0301", "\u00e9"), ("\u3297", "\u795d"), ("\u3000", " "), ("\u00a0", " "), ("\t", " "), ("\n", " "),
]


def corpus():
    generator = random.Random(7)
    lines = [" ".join(generator.choice(WORDS) for _ in range(12)) + generator.choice(".!?") for _ in range(400)]
    return lines + ["caf\u00e9 \u795d 1 2 3 4 5 fi ..."] * 5


def unigram(prefix, strips):
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="utf-8") as rules:
        for source, target in RULES:
            hexes = [" ".join(f"{ord(c):X}" for c in part) for part in (source, target)]
            rules.write("\t".join(hexes) + "\n")
        rules.flush()
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus()), model_writer=model, vocab_size=70, model_type="unigram",
            normalization_rule_tsv=rules.name, add_dummy_prefix=prefix, remove_extra_whitespaces=strips, pad_id=0,
            eos_id=1, unk_id=2, bos_id=-1, minloglevel=2)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return {
        "model": "t5",
        "tokens": [p.piece for p in proto.pieces],
        "scores": [p.score for p in proto.pieces],
        "types": [p.type for p in proto.pieces],
        "unknown": 2,
        "charsmap": base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode(),
        "addSpacePrefix": prefix,
        "removeExtraWhitespaces": strips,
        "cases": [{"text": text, "ids": processor.encode(text)} for text in TEXTS],
    }


def wordpiece(lowercase, strip_accents):
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    pieces += sorted(set(WORDS)) + list(".,;!?'$<>/\u00e9\u65e5") + ["12", "The", "UPPER", "cafe", "caf\u00e9", "stanbul"]
    pieces += ["##" + c for c in "abcdefghijklmnopqrstuvwxyz012345"] + ["##s", "##ing", "##\u093f", "##\u1161"]
    pieces += list("abcdefghijklmnopqrstuvwxyz") + ["\u0928", "\u1112", "##\u11ab"]
    pieces = list(dict.fromkeys(pieces))
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=strip_accents)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    def stored(piece):
        """GGUF marks the starts of words instead of the continuations."""
        if piece.startswith("##"):
            return piece[2:]
        return piece if piece.startswith("[") and len(piece) > 1 else "\u2581" + piece

    return {
        "model": "bert",
        "tokens": [stored(p) for p in pieces],
        "types": [3, 2, 3, 3] + [1] * (len(pieces) - 4),
        "unknown": 1,
        "lowercase": lowercase,
        "stripAccents": strip_accents,
        "cases": [{"text": text, "ids": tokenizer.encode(text).ids} for text in TEXTS],
    }


def longest_first(pieces, data):
    ids = []
    while data:
        length = max(n for n in range(1, len(data) + 1) if data[:n] in pieces)
        ids.append(pieces[data[:length]])
        data = data[length:]
    return ids


def rwkv():
    pieces = [bytes([byte]) for byte in range(256)] + [w.encode() for w in WORDS] + [(" " + w).encode() for w in WORDS]
    pieces += [b"it's \\ \n", "\u65e5\u672c".encode()[:4], b"\xff\xfe", b"  ", b"\r\n"]
    pieces = list(dict.fromkeys(pieces))
    numbers = {piece: index + 1 for index, piece in enumerate(pieces)}
    return {
        "model": "rwkv",
        "tokens": ["<s>"] + [repr(piece)[2:-1] for piece in pieces],
        "types": [3] + [1] * len(pieces),
        "cases": [
            {"text": text, "ids": longest_first(numbers, text.encode())} for text in TEXTS + ["it's \\ \n", "a\r\n\\\x00"]
        ],
    }


FAMILIES = {
    "unigram": unigram(True, True), "unigram without prefix": unigram(False, True),
    "unigram with all spaces": unigram(True, False), "wordpiece": wordpiece(True, None),
    "wordpiece cased": wordpiece(False, False), "wordpiece with accents": wordpiece(True, False), "rwkv": rwkv(),
}
with open(sys.argv[1], "w") as file:
    json.dump(FAMILIES, file, indent=None, separators=(",", ":"))
    file.write("\n")
