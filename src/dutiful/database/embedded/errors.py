class EmbeddedError(Exception):
    """One line for the person at the terminal: what happened and what to do."""


class StoppedError(EmbeddedError):
    """stop() came before start() was done."""
