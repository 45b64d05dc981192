"""Where the processes of one run meet."""

from __future__ import annotations

import random
import socket

# Systems give ports from 32768 or 49152 on to whoever connects somewhere, so that one of those
# that is free now may be taken before the processes have met there.
_NEVER_GIVEN = range(20_000, 32_000)
# Not the generator that the workers of a test run have all seeded alike.
_CHANCE = random.SystemRandom()


def free_port() -> int:
    """A port of this machine at which nobody listens, and which the system gives to nobody."""
    while True:
        port = _CHANCE.choice(_NEVER_GIVEN)
        with socket.socket() as listening:
            try:
                listening.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
