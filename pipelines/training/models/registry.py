"""Every model by the name that recipes and runs save. A new one: a class as `model.Model` says, one line in MODELS."""

from collections.abc import Mapping
from typing import Any

from pipelines.errors import UnknownName
from pipelines.toml_config import StrictModel, parse
from pipelines.training.models.conv1d_blocks import Conv1dBlocks, SoapCnn
from pipelines.training.models.model import Model
from pipelines.training.models.sequence_networks import HybridNetwork, LstmNetwork, RowConvolutions
from pipelines.training.models.time_distributed import TimeDistributedLstm

MODELS: Mapping[str, type[StrictModel]] = {
    "soap_cnn": SoapCnn,
    "conv1d_blocks": Conv1dBlocks,
    "lstm": LstmNetwork,
    "row_convolutions": RowConvolutions,
    "hybrid": HybridNetwork,
    "time_distributed_lstm": TimeDistributedLstm,
}


def model(name: str, settings: Mapping[str, Any]) -> Model:
    """The model called `name` with its settings. Raises UnknownName, ConfigError."""
    if name not in MODELS:
        raise UnknownName("model", name, MODELS)
    return parse(MODELS[name], dict(settings), "model.settings")  # type: ignore[return-value]
