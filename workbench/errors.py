"""Errors of the people side; the tree goes on from pipelines.errors.

PipelineError
└── WorkbenchError     something a person asked for cannot be done as asked
    ├── AccessError    not signed in, or the role does not allow it
    └── StoreError     the label store cannot be opened or does not hold what was named
"""

from pipelines.errors import PipelineError


class WorkbenchError(PipelineError):
    """Base of errors raised on purpose by the people side."""


class AccessError(WorkbenchError):
    """Not signed in, or the role does not allow it."""


class StoreError(WorkbenchError):
    """The label store cannot be opened or does not hold what was named."""
