"""ONNX weights: reads the float32 constants of a model. The few protobuf fields that matter are read directly.

Field numbers are those of onnx.proto3: ModelProto.graph 7, GraphProto.node 1, NodeProto.output 2 and .attribute 5,
AttributeProto.t 5 and .g 6, TensorProto.dims 1, .data_type 2 and .raw_data 9.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

FLOAT32 = 1


def float_constants(model: bytes) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """(name, array) of each float32 constant in a model, including the branches of its If nodes."""
    for graph in _messages(memoryview(model), 7):
        yield from _constants(graph)


def _constants(graph: memoryview) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    for node in _messages(graph, 1):
        name = next((bytes(output).decode() for output in _messages(node, 2)), "")
        for attribute in _messages(node, 5):
            for branch in _messages(attribute, 6):
                yield from _constants(branch)
            for tensor in _messages(attribute, 5):
                fields = list(_fields(tensor))
                if (2, FLOAT32) in fields:
                    shape = [value for number, value in fields if number == 1 and isinstance(value, int)]
                    raw = next(_messages(tensor, 9), memoryview(b""))
                    if len(raw):
                        yield name, np.frombuffer(raw, "<f4").astype(np.float32, copy=False).reshape(shape)


def _messages(message: memoryview, wanted: int) -> Iterator[memoryview]:
    for number, value in _fields(message):
        if number == wanted and isinstance(value, memoryview):
            yield value


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, value) in order: a number for a varint, else the bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        match key & 7:
            case 0:
                value, at = _varint(message, at)
                yield key >> 3, value
                continue
            case 1:
                size = 8
            case 2:
                size, at = _varint(message, at)
            case 5:
                size = 4
            case other:
                raise ValueError(f"not an ONNX file: wire type {other} at byte {at}")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
