class BackupError(Exception):
    """One line for the person at the terminal: what happened and what to do."""


class NotEmpty(BackupError):
    """A backup is never mixed with what is there."""
