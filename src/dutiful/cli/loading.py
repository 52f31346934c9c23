import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """What is being imported stays for good: looking through it for garbage would take a fifth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
