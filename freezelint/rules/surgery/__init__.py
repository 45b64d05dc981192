"""FZ6xx: heads, parameters and modules that are exchanged."""
