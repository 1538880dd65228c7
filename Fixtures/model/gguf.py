"""A small GGUF version 3 writer and reader: what these fixtures need and no more.

Writes tensors as F32, F16 or Q8_0; reads the same. Array shapes are NumPy's (rows first), which
GGUF stores the other way round. Unsigned integers are written as u32, arrays of integers as i32.
"""

import struct

import numpy as np

MAGIC, VERSION, ALIGNMENT = b"GGUF", 3, 32
U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = 4, 5, 6, 7, 8, 9, 10, 11, 12
TYPE_IDS = {"F32": 0, "F16": 1, "Q8_0": 8}
FILE_TYPES = {"F32": 0, "F16": 1, "Q8_0": 7}  # general.file_type


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def scalar(value):
    """(type id, bytes) of one metadata value that is not an array."""
    if isinstance(value, bool):
        return BOOL, struct.pack("<B", value)
    if isinstance(value, int):
        return U32, struct.pack("<I", value)
    if isinstance(value, float):
        return F32, struct.pack("<f", value)
    return STRING, string(value)


def metadata(value):
    """A metadata value with its type in front."""
    if not isinstance(value, list):
        kind, data = scalar(value)
        return struct.pack("<I", kind) + data
    if isinstance(value[0], int):
        kind, items = I32, [struct.pack("<i", v) for v in value]
    else:
        kind, items = scalar(value[0])[0], [scalar(v)[1] for v in value]
    return struct.pack("<IIQ", ARRAY, kind, len(value)) + b"".join(items)


def q8_0(array):
    """Blocks of 32 along the last axis: an f16 scale, then 32 signed bytes."""
    blocks = array.astype(np.float32).reshape(-1, 32)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale != 0)
    scaled = blocks * inverse
    quants = np.sign(scaled) * np.floor(np.abs(scaled) + np.float32(0.5))
    return b"".join(
        s.tobytes() + q.tobytes()
        for s, q in zip(scale.astype("<f2"), quants.astype(np.int8))
    )


def encode(array, kind):
    """The bytes of a tensor stored as `kind`."""
    if kind == "Q8_0":
        return q8_0(array)
    return np.ascontiguousarray(array, dtype="<f4" if kind == "F32" else "<f2").tobytes()


def decode(data, kind, count):
    """The values of a tensor stored as `kind`, in float32."""
    if kind == "F32":
        return np.frombuffer(data, "<f4", count)
    if kind == "F16":
        return np.frombuffer(data, "<f2", count).astype(np.float32)
    blocks = np.frombuffer(data, np.dtype([("d", "<f2"), ("q", "i1", 32)]), count // 32)
    return (blocks["d"].astype(np.float32)[:, None] * blocks["q"]).reshape(-1)


def padding(size):
    return b"\0" * (-size % ALIGNMENT)


def write(path, keys, tensors):
    """Writes a file. `tensors` maps a name to (array, kind), in the order they are to lie."""
    head = MAGIC + struct.pack("<IQQ", VERSION, len(tensors), len(keys))
    for key, value in keys.items():
        head += string(key) + metadata(value)
    body = bytearray()
    for name, (array, kind) in tensors.items():
        head += string(name) + struct.pack("<I", array.ndim)
        head += struct.pack(f"<{array.ndim}Q", *reversed(array.shape))
        head += struct.pack("<IQ", TYPE_IDS[kind], len(body))
        body += encode(array, kind)
        body += padding(len(body))
    with open(path, "wb") as file:
        file.write(head + padding(len(head)) + body)


class Reader:
    """Metadata in `keys`, tensors as float32 arrays in `tensors`. Trusts the file: test data only.
    """

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        self.at = 4
        version, tensor_count, key_count = self.take("<IQQ")
        assert self.data[:4] == MAGIC and version == VERSION
        self.keys = {}
        for _ in range(key_count):
            key = self.string()
            self.keys[key] = self.value(*self.take("<I"))
        infos = []
        for _ in range(tensor_count):
            name, (rank,) = self.string(), self.take("<I")
            infos.append((name, self.take(f"<{rank}Q"), *self.take("<IQ")))
        start = self.at + len(padding(self.at))
        kinds = {number: kind for kind, number in TYPE_IDS.items()}
        self.tensors, self.kinds = {}, {}
        for name, shape, kind, offset in infos:
            view = memoryview(self.data)[start + offset:]
            values = decode(view, kinds[kind], int(np.prod(shape)))
            self.tensors[name], self.kinds[name] = values.reshape(shape[::-1]), kinds[kind]

    def take(self, form):
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def string(self):
        (size,) = self.take("<Q")
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            item, count = self.take("<IQ")
            return [self.value(item) for _ in range(count)]
        return self.take({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?", U64: "<Q", I64: "<q", F64: "<d"}[kind])[0]
