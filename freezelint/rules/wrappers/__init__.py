"""FZ7xx: wrappers that look at flags once."""
