"""FZ2xx: the freeze lands and is undone."""
