"""Write small ONNX graphs by hand: the few messages of the format that a test needs, so that no exporter is one."""

import numpy as np


def _varint(value):
    out = b""
    while True:
        value, low = value >> 7, value & 127
        out += bytes([low | (128 if value else 0)])
        if not value:
            return out


def _field(number, value):
    """One field of a message: an int, or bytes or text with their length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    value = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _tensor(name, array):
    kind = {"float32": 1, "int64": 7}[array.dtype.name]
    dims = b"".join(_field(1, int(size)) for size in array.shape)
    return dims + _field(2, kind) + _field(8, name) + _field(9, array.tobytes())


def _value(name, shape):
    dims = b"".join(_field(1, _field(1, s) if isinstance(s, int) else _field(2, s)) for s in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, dims)))


def node(kind, inputs, output, **attributes):
    parts = b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, kind)
    for name, value in attributes.items():
        ints = b"".join(_field(8, v) for v in value) if isinstance(value, list) else _field(3, value)
        parts += _field(5, _field(1, name) + ints + _field(20, 7 if isinstance(value, list) else 2))
    return parts


def write_onnx(path, nodes, constants, shape, outputs, metadata=None):
    """A graph of one input "pictures" of that shape (a text: any size) and the named outputs and their ranks."""
    graph = b"".join(_field(1, one) for one in nodes) + _field(2, "graph")
    graph += b"".join(_field(5, _tensor(name, np.ascontiguousarray(array))) for name, array in constants.items())
    graph += _field(11, _value("pictures", shape))
    graph += b"".join(_field(12, _value(name, [f"{name}{i}" for i in range(rank)])) for name, rank in outputs.items())
    model = _field(1, 8) + _field(7, graph) + _field(8, _field(2, 13))
    for key, value in (metadata or {}).items():
        model += _field(14, _field(1, key) + _field(2, value))
    path.write_bytes(model)
    return path
