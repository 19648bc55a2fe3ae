"""Parameter counts that the published systems state or that follow from their layer tables."""

from typing import Any

from pipelines.training.models import tensorflow_backend
from pipelines.training.models.registry import model

SAME = {"pool": 5, "pool_stride": 2, "pool_padding": "same"}
SOAP = [{"filters": [256], **SAME}, {"filters": [128], **SAME, "dropout": 0.2}, {"filters": [64], **SAME}]
CONTOUR = [{"filters": [128, 128], "dropout_before_pool": 0.1, "pool": 8}, {"filters": [128] * 3}, {"filters": [128]}]
REZA = [{"filters": [256, 128], "dropout_before_pool": 0.1, "pool": 8}, {"filters": [128] * 3}, {"filters": [128]}]
TUNED = [
    {"filters": [256, 256], "kernel": 8, "batch_norm": True, "dropout_before_pool": 0.25, "pool": 8},
    {"filters": [128] * 4, "kernel": 8, "batch_norm": True, "dropout_before_pool": 0.25, "pool": 8},
    {"filters": [64, 64], "kernel": 8},
]
EMOVO = [
    {"filters": [filters], "kernel": kernel, "pool": 2}
    for filters, kernel in ((16, 11), (32, 9), (64, 7), (128, 5), (256, 3))
]

#: name of the case → model, settings, input shape, labels, parameters.
PUBLISHED: dict[str, tuple[str, dict[str, Any], tuple[int, ...], int, int]] = {
    "soap, five": ("soap_cnn", {}, (162, 1), 5, 249_733),
    "soap, binary": ("soap_cnn", {}, (162, 1), 2, 249_634),
    "soap as blocks": ("conv1d_blocks", {"blocks": SOAP, "dense": [32]}, (162, 1), 5, 249_733),
    "base model": ("conv1d_blocks", {"blocks": CONTOUR}, (216, 1), 10, 445_578),
    "soap transfer, new head": ("conv1d_blocks", {"blocks": CONTOUR, "output": "relu"}, (216, 1), 5, 428_293),
    "reza, six convolutions": ("conv1d_blocks", {"blocks": REZA}, (216, 1), 10, 528_266),
    "reza, tuned, 2": ("conv1d_blocks", {"blocks": TUNED}, (259, 1), 2, 1_283_202),
    "reza, tuned, 3": ("conv1d_blocks", {"blocks": TUNED}, (259, 1), 3, 1_283_459),
    "reza, tuned, 5": ("conv1d_blocks", {"blocks": TUNED}, (259, 1), 5, 1_283_973),
    "emovo": ("conv1d_blocks", {"blocks": EMOVO, "dense": [128, 64]}, (160, 1), 7, 331_559),
    "hybrid, LSTM": ("lstm", {}, (282, 15), 8, 54_024),
    "hybrid, LSTM with attention": ("lstm", {"units": [64], "attention": True}, (282, 15), 8, 21_346),
    "hybrid, CNN": ("row_convolutions", {}, (1, 282, 15), 8, 3_073_064),
    "hybrid": ("hybrid", {"output": "relu_softmax"}, (282, 15), 8, 3_264_738),
    "td-lstm, MODEL-1": ("time_distributed_lstm", {}, (1, 128, 64, 1), 5, 4_036_933),
    "td-lstm, MODEL-2": ("time_distributed_lstm", {"dropout": 0.4}, (3, 128, 64, 1), 5, 4_036_933),
    "td-lstm, MODEL-3": ("time_distributed_lstm", {"lstm_units": [128, 128]}, (1, 128, 64, 1), 5, 4_168_517),
    "td-lstm, MODEL-4": (
        "time_distributed_lstm",
        {"filters": [64, 64, 128], "bidirectional": True},
        (1, 128, 64, 1),
        5,
        2_211_909,
    ),
    "td-lstm, MODEL-5": (
        "time_distributed_lstm",
        {"filters": [64, 64, 128, 128], "bidirectional": True},
        (1, 128, 64, 1),
        5,
        656_069,
    ),
}


def counted() -> dict[str, int]:
    """Parameters of every case. Imports TensorFlow."""
    tensorflow_backend.start(0)
    return {
        case: int(model(name, settings).build(shape, labels).count_params())  # type: ignore[attr-defined]
        for case, (name, settings, shape, labels, _) in PUBLISHED.items()
    }
