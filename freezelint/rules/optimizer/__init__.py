"""FZ3xx: the optimizer and the flags disagree."""
