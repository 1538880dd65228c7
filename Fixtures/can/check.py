"""What cantools makes of random frames, for the tests of EdgeCAN.

    pip install cantools
    python Fixtures/can/check.py                                      # writes expected.json
    python Fixtures/can/check.py --dump FOLDER [FILE.dbc ...]         # one line a frame, to compare in full

expected.json has, for each DBC file, a digest of what every frame decodes to and of what those values encode to. Frames are random
bytes of SplitMix64, which EdgeCAN has too; 100,000 of them go to the files of ../shared/data/can/opendbc in turn, and 2,000 to each file
of this project. Values are the bits of the number as a 64-bit float, and choices are names.

cantools decodes no message in which signals overlap or do not fit, and refuses such a file unless `strict` is off. There each signal is
decoded as the only one of its message, where its multiplexers say that it is there; those that do not fit are left out. A file that it does not load at all
has its error in place of a digest.
"""

import argparse
import copy
import json
import math
import pathlib
import struct

import cantools
from cantools.database.can.message import Message
from cantools.database.errors import DecodeError

ROOT = pathlib.Path(__file__).resolve().parents[2]
MASK = (1 << 64) - 1


class SplitMix64:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        bits = self.state
        bits = ((bits ^ bits >> 30) * 0xBF58476D1CE4E5B9) & MASK
        bits = ((bits ^ bits >> 27) * 0x94D049BB133111EB) & MASK
        return bits ^ bits >> 31


class Digest:
    """FNV-1a, 64 bits."""

    def __init__(self):
        self.value = 0xCBF29CE484222325

    def add(self, text):
        value = self.value
        for byte in text.encode():
            value = ((value ^ byte) * 0x100000001B3) & MASK
        self.value = value


def bits(value):
    number = float(value)
    if math.isnan(number):
        return "nan"
    return f"{struct.unpack('<Q', struct.pack('<d', number))[0]:016x}"


class Decoder:
    """Decodes the frames of one message."""

    def __init__(self, message):
        self.message = message
        self.alone = None
        try:
            message.refresh(strict=True)
        except cantools.database.errors.Error:
            self.alone = {}
            for signal in message.signals:
                single = copy.copy(signal)
                single.is_multiplexer, single.multiplexer_ids, single.multiplexer_signal = False, None, None
                try:
                    self.alone[signal.name] = Message(message.frame_id, message.name, message.length, [single], strict=True,
                                                      is_extended_frame=message.is_extended_frame)
                except cantools.database.errors.Error:
                    pass  # does not fit

    def is_there(self, signal, data):
        """Whether the multiplexers above a signal have the values that go with it."""
        while signal.multiplexer_signal is not None:
            above = self.message.get_signal_by_name(signal.multiplexer_signal)
            if above.name not in self.alone:
                return False
            value = int(self.alone[above.name].decode(data, decode_choices=False)[above.name])
            if value not in (signal.multiplexer_ids or []):
                return False
            signal = above
        return True

    def decode(self, data, **options):
        if self.alone is None:
            return self.message.decode(data, decode_choices=False, **options)
        values = {}
        for name, single in self.alone.items():
            if self.is_there(self.message.get_signal_by_name(name), data):
                values.update(single.decode(data, decode_choices=False, **options))
        return values

    def line(self, data):
        try:
            numbers = self.decode(data)
        except DecodeError:
            return f"{self.message.name} {data.hex()} unknown"
        raw = self.decode(data, scaling=False)
        words = []
        for name in sorted(numbers):
            word = f"{name}={bits(numbers[name])}"
            table = self.message.get_signal_by_name(name).choices
            if table and math.isfinite(raw[name]) and int(raw[name]) in table:
                word += f"[{table[int(raw[name])]}]"
            words.append(word)
        line = f"{self.message.name} {data.hex()} " + " ".join(words)
        # Beyond 2^53 a number of 64 bits is not what it was.
        if self.alone is None and not any(math.isnan(v) or abs(v) > 2**53 for v in numbers.values()):
            line += " > " + self.message.encode({n: float(v) for n, v in numbers.items()}, strict=False).hex()
        return line


def frames(database, seed, count):
    generator = SplitMix64(seed)
    messages = database.messages
    for index in range(count if messages else 0):
        message = messages[index % len(messages)]
        data = b""
        while len(data) < message.length:
            data += generator.next().to_bytes(8, "little")
        yield index % len(messages), data[:message.length]


def lines(path, seed, count):
    database = cantools.database.load_file(path, strict=False, encoding="utf-8")
    decoders = [Decoder(m) for m in database.messages]
    for index, data in frames(database, seed, count):
        yield decoders[index].line(data)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dump", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=9000)
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    if options.dump:
        options.dump.mkdir(parents=True, exist_ok=True)
        for path in options.files:
            try:
                text = "\n".join(lines(path, 1, options.count)) + "\n"
            except Exception as error:  # whatever it refuses a file with
                text = f"refused: {' '.join(str(error).split())}\n"
            (options.dump / (path.stem + ".txt")).write_text(text)
        return

    shared = sorted((ROOT.parent / "shared/data/can/opendbc").glob("*.dbc"))
    own = [ROOT / "Fixtures/can/features.dbc", ROOT / "Fixtures/tern.dbc"]
    if not shared:
        raise SystemExit("../shared/data/can/opendbc is not beside this checkout")
    loadable, refused = [], {}
    for path in shared:
        try:
            cantools.database.load_file(path, strict=False, encoding="utf-8")
            loadable.append(path)
        except Exception as error:
            refused[path.name] = " ".join(str(error).split())
    expected = {"shared": [], "own": []}
    for kind, paths, total in (("shared", loadable, 100_000), ("own", own, 2_000 * len(own))):
        for index, path in enumerate(paths):
            count = total // len(paths) + (1 if index < total % len(paths) else 0)
            digest = Digest()
            for line in lines(path, index + 1, count):
                digest.add(line + "\n")
            try:
                cantools.database.load_file(path, strict=True, encoding="utf-8")
                strict = None
            except Exception as error:
                strict = " ".join(str(error).split())
            expected[kind].append({"file": path.name, "seed": index + 1, "frames": count,
                                   "digest": f"{digest.value:016x}", "strict": strict})
    expected["refused"] = refused
    (ROOT / "Fixtures/can/expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
