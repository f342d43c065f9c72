"""The parameters of one request: checked and coerced, for HTTP GET sends everything as strings."""

import math
from typing import Any

from services.venue.errors import VenueError, invalid

INTEGER_MAX = 2**53  # beyond it, a JSON number is not exact
_REQUIRED = "\0required"


class Params:
    """Typed access by name; each refusal names the parameter. Unknown parameters are ignored."""

    __slots__ = ("values",)

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def has(self, name: str) -> bool:
        return self.values.get(name) is not None

    def text(self, name: str, default: str = _REQUIRED, length_max: int = 256) -> str:
        value = self.values.get(name)
        if value is None:
            return _default(name, default)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise invalid(name, "must be a string")
        if len(value) > length_max:
            raise invalid(name, "too long")
        return value

    def choice(self, name: str, options: tuple[str, ...], default: str = _REQUIRED) -> str:
        value = self.text(name, default)
        if value not in options and value != default:
            raise invalid(name, f"must be one of {', '.join(options)}")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """Returns a finite number; without a default the parameter is required."""
        value = self.values.get(name)
        if value is None:
            if default is None:
                raise invalid(name, "value required")
            return default
        return number_of(name, value)

    def integer(
        self,
        name: str,
        default: int | None = None,
        low: int = -INTEGER_MAX,
        high: int = INTEGER_MAX,
    ) -> int:
        value = self.values.get(name)
        if value is None:
            if default is None:
                raise invalid(name, "value required")
            return default
        number = number_of(name, value)
        if number != int(number):
            raise invalid(name, "must be an integer")
        if not low <= number <= high:
            raise invalid(name, f"must be between {low} and {high}")
        return int(number)

    def boolean(self, name: str, default: bool = False) -> bool:
        value = self.values.get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        if value in ("true", "false"):
            return bool(value == "true")
        raise invalid(name, "must be a boolean")

    def texts(self, name: str, count_max: int) -> list[str]:
        """Returns a list of strings; a GET sends it as JSON-like text."""
        value = self.values.get(name)
        if isinstance(value, str):
            value = [part.strip(" \"'") for part in value.strip("[]").split(",") if part]
        if not isinstance(value, list):
            raise invalid(name, "must be an array")
        if len(value) > count_max:
            raise VenueError(11050, data={"reason": f"at most {count_max}", "param": name})
        if not all(isinstance(item, str) for item in value):
            raise invalid(name, "must be an array of strings")
        return value


def number_of(name: str, value: Any) -> float:
    """Returns a finite number from a JSON number or its text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise invalid(name, "must be a number")
    try:
        number = float(value)
    except (ValueError, OverflowError) as error:
        raise invalid(name, "must be a number") from error
    if not math.isfinite(number):
        raise invalid(name, "must be a number")
    return number


def _default(name: str, default: str) -> str:
    if default is _REQUIRED:
        raise invalid(name, "value required")
    return default
