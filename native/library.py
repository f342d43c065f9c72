"""The compiled module, and the one way its statuses become errors."""

from native._hedgerow import ffi, lib

__all__ = ["NativeError", "check", "ffi", "lib"]


class NativeError(RuntimeError):
    """A C function refused; carries the status and its name."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.name = ffi.string(lib.hr_status_name(status)).decode()
        super().__init__(f"{self.name} ({status})")


def check(status: int) -> None:
    """Raises NativeError unless `status` is HR_OK."""
    if status != 0:
        raise NativeError(status)
