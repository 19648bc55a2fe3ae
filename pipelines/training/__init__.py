"""Recipes on labelled clips: a plan that refuses leaks, a training, and a sealed Run. TensorFlow is imported late."""

from pipelines.training.models.registry import MODELS
from pipelines.training.plan import Plan, make_plan
from pipelines.training.run import Run, open_run, run_ids, runs
from pipelines.training.trainer import train

__all__ = ["MODELS", "Plan", "Run", "make_plan", "open_run", "run_ids", "runs", "train"]
