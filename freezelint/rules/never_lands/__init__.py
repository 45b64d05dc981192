"""FZ1xx: the freeze never lands."""
