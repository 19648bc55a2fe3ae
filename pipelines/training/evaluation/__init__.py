"""How good a fitted model is: metrics with intervals, figures and the report of a run."""
