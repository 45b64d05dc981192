"""The watch in the terms of training frameworks; each framework is imported in its own file only."""
