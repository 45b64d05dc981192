"""FZ4xx: modes, and buffers that no flag can hold still."""
