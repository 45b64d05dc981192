"""FZ5xx: the graph is cut, or made up."""
