"""A whole study made on the spot: an invented drama, an acted corpus, simulated raters, and the loop run over them."""

from workbench.demo.run import run_demo

__all__ = ["run_demo"]
