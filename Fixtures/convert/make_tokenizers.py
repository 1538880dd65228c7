"""Small tokenizers of every kind that `edge-llm convert` reads, and the ids that their own libraries give.

usage: make_tokenizers.py OUT   (tokenizers 0.23, sentencepiece 0.2, transformers 5.24)

Each folder OUT/NAME has the tokenizer's files, a config.json with no more than its vocabulary's size, and golden.json: texts and
their ids, with the tokens around a text."""

import io
import json
import os
import sys

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXT = """The engine light is on and the oil pressure is low; please stop the car and check the level before you drive on.
In 2024 the car drove 12345 kilometres, used 678.9 litres and cost $1,234.56 in all!
She said: "I've never seen it, you'll see, they're there." He'd asked twice... WHY? 'TIS SO.
def main(args):\n    for i in range(10):\n        print(f"{i:3d}", end="\\n\\n")\n
Der Ölstand ist zu niedrig, die Straße naß und der Motor läuft ungleichmäßig; größere Schäden drohen.
Le moteur s'arrête, l'été dernier déjà, à côté de l'hôtel. ¿Dónde está el coche? Ça va!
Машина едет быстро, двигатель шумит. 車のエンジンが止まりました。汽车发动机故障灯亮了。 السيارة سريعة जल्दी चलो
""" * 4
CASES = [
    "The engine light is on.", " The  car   stops \n\n now\t!", "I've told you'll DON'T WE'RE", "1 12 123 1234 12345 3.14",
    "größere Straße, Öl", "Машина едет 車のエンジン 汽车", "!!!??? ...--- $%&", "x", "a\r\nb\n \nc", "été l'hôtel ça",
    "<|start|>the car<|end|> goes", "[MASK] of the car", "🚗 drives 💨", "camelCaseWord HTTPServer",
]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
CASED = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+C|[^\r\n\p{L}\p{N}]?"
    r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*C|D| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
GPT4O = CASED.replace("C", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?").replace("|D|", r"|\p{N}{1,3}|")
TEKKEN = CASED.replace("C", "").replace("|D|", r"|\p{N}|")


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), behavior="isolated")


def bytes_only():
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


BYTE_PAIRS = {
    "llama-bpe": (pre_tokenizers.Sequence([split(LLAMA3), bytes_only()]), True),
    "dbrx": (pre_tokenizers.Sequence([split(LLAMA3), bytes_only()]), False),
    "qwen2": (pre_tokenizers.Sequence([split(QWEN2), bytes_only()]), False),
    "gpt-4o": (pre_tokenizers.Sequence([split(GPT4O), bytes_only()]), False),
    "tekken": (pre_tokenizers.Sequence([split(TEKKEN), bytes_only()]), True),
    "gpt-2": (pre_tokenizers.ByteLevel(add_prefix_space=False), False),
    "smollm": (
        pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]), False),
}


def save(out, name, tokenizer, encode, config=None, count=None, cases=CASES):
    folder = os.path.join(out, name)
    os.makedirs(folder, exist_ok=True)
    if tokenizer is not None:
        tokenizer.save(os.path.join(folder, "tokenizer.json"), pretty=False)
        count = tokenizer.get_vocab_size()
    # More rows than tokens, as models have that round their size up.
    write(folder, "config.json", dict(vocab_size=count + 8))
    if config is not None:
        write(folder, "tokenizer_config.json", config)
    write(folder, "golden.json", [dict(text=text, ids=encode(text)) for text in cases])
    return folder


def write(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)


def byte_pairs(out):
    for name, (cut, whole) in BYTE_PAIRS.items():
        tokenizer = Tokenizer(models.BPE(ignore_merges=whole))
        tokenizer.pre_tokenizer = cut
        tokenizer.decoder = decoders.ByteLevel()
        if name == "qwen2":
            tokenizer.normalizer = normalizers.NFC()
        trainer = trainers.BpeTrainer(
            vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
        tokenizer.train_from_iterator([TEXT], trainer)
        tokenizer.add_special_tokens(["<|start|>", "<|end|>"])
        tokenizer.add_tokens([AddedToken("camelCase", normalized=False)])
        config = dict(eos_token="<|end|>", tokenizer_class="PreTrainedTokenizerFast")
        if name in ("llama-bpe", "tekken"):
            config["bos_token"] = "<|start|>"
            tokenizer.post_processor = processors.Sequence([
                processors.ByteLevel(trim_offsets=False),
                processors.TemplateProcessing(
                    single="<|start|> $A", pair="<|start|> $A <|start|> $B",
                    special_tokens=[("<|start|>", tokenizer.token_to_id("<|start|>"))])])
        if name == "llama-bpe":
            config["chat_template"] = [
                dict(name="default", template="{{ messages[0].content }}"), dict(name="tool_use", template="tools")]
        save(out, name, tokenizer, lambda text: tokenizer.encode(text).ids, config)


def word_pieces(out):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        [TEXT], trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    config = dict(do_lower_case=True, cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]", pad_token="[PAD]",
                  mask_token="[MASK]")
    save(out, "word-piece", tokenizer, lambda text: tokenizer.encode(text).ids, config)
    folder = save(
        out, "word-piece-lines", None, lambda text: tokenizer.encode(text).ids, config, tokenizer.get_vocab_size())
    tokens = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8") as file:
        file.write("".join(token + "\n" for token, _ in tokens))


def unigram(out):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(
        [TEXT], trainers.UnigramTrainer(vocab_size=400, special_tokens=special, unk_token="<unk>", show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    config = dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>", sep_token="</s>",
                  mask_token="<mask>")
    save(out, "unigram", tokenizer, lambda text: tokenizer.encode(text).ids, config)


def sentence_pieces(out):
    for name, kind, more in [
        ("sentence-piece", "bpe", dict(byte_fallback=True, normalization_rule_name="identity",
                                       remove_extra_whitespaces=False)),
        ("sentence-piece-unigram", "unigram", dict(normalization_rule_name="nmt_nfkc")),
    ]:
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(TEXT.split("\n")), model_writer=model, model_type=kind, vocab_size=520, hard_vocab_limit=False,
            character_coverage=1.0, minloglevel=2, user_defined_symbols=["<|start|>"] if kind == "bpe" else [], **more)
        processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
        config = dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>", add_bos_token=True, add_eos_token=False)
        if kind == "bpe":
            config["added_tokens_decoder"] = {
                str(processor.piece_to_id("<|start|>")): dict(content="<|start|>", special=True, rstrip=False)}
        # Behind a token that steers, readers of GGUF put a space, as transformers did first; SentencePiece does not.
        folder = save(
            out, name, None, lambda text: [1] + processor.encode(text), config, processor.get_piece_size(),
            [text for text in CASES if "<|" not in text])
        with open(os.path.join(folder, "tokenizer.model"), "wb") as file:
            file.write(model.getvalue())
        if kind == "unigram":
            continue
        # The same as merges alone, in the way transformers converts it.
        from transformers.convert_slow_tokenizer import SentencePieceExtractor
        parts = SentencePieceExtractor(os.path.join(folder, "tokenizer.model")).extract(None)
        tokenizer = Tokenizer(models.BPE(parts["vocab"], parts["merges"], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
        tokenizer.add_special_tokens(["<unk>", "<s>", "</s>", "<|start|>"])
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
        save(out, "sentence-piece-merges", tokenizer, lambda text: tokenizer.encode(text).ids,
             dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>"))


if __name__ == "__main__":
    byte_pairs(sys.argv[1])
    word_pieces(sys.argv[1])
    unigram(sys.argv[1])
    sentence_pieces(sys.argv[1])
