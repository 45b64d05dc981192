"""The analyzer: it runs code abstractly, in order, and records what happens to a freeze."""
