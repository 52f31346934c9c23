from dutiful.cli.main import main

__all__ = ["main"]
