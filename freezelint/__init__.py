"""freezelint finds freeze bugs in PyTorch training code."""

__version__ = "0.1.0"
