"""Redaction: secrets hidden in text that leaves the process, for the disk, MLflow or the terminal.

Three kinds are known: passwords in addresses, keys of a well-known form, and the values of this
process's environment variables whose names say that they are secret. Numbers and paths stay: a
value that is a number, or a part of the home's or the working folder's path, is not taken for a
secret. In data (tables, configs, parameters) neither is a word, which may be the name of a class.
"""

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from sightline.io.secret_forms import ASSIGNED, KEYS
from sightline.io.secrets import hide_password

HIDDEN = "***"
SHORTEST = 6  # characters of a variable's value; a shorter one can stand anywhere by chance
WORDS = re.compile(r"[A-Za-z][a-z]*(?:[ _-][A-Za-z]?[a-z]+)*")
LONGEST_WORDS = 20  # characters; a longer text is a passphrase, also where it is made of words
# Words of a variable's name that say it holds a secret.
TELLING = re.compile(
    r"(?:^|_)(?:TOKEN|SECRETS?|PASS|PASSPHRASE|CREDENTIALS?|KEY|PAT|APIKEY)(?:_|$)"
    r"|PASSWORD|PASSWD|_PWD$|SECRET"
)
NOT_TELLING = re.compile(r"_(?:FILE|PATH|DIR|SOCK|NAME|TYPE)$")  # what says where it is


def redact(text: str) -> str:
    """Free text (a log line, an error, a diff) with `***` for each secret in it."""
    return _hide(text, _secret_values(os.environ))


def redact_data(text: str) -> str:
    """Data with `***` for each secret; a variable whose value is a word hides no word of it."""
    values = [each for each in _secret_values(os.environ) if not _is_words(each)]
    return _hide(text, values)


def redacted(value: Any) -> Any:
    """Plain containers with each text in them redacted as data; keys and numbers stay.

    A text is also judged by its key: under `api_key` it is a secret whatever its form.
    """
    if isinstance(value, str):
        return redact_data(value)
    if isinstance(value, Mapping):
        return {key: _under(key, each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(each) for each in value]
    return value


def _under(key: Any, value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_under(key, each) for each in value]
    if not isinstance(value, str):
        return redacted(value)
    return redact_data(f"{key}={value}").removeprefix(f"{key}=")


def _hide(text: str, values: list[str]) -> str:
    text = hide_password(text)
    for form in (KEYS, *ASSIGNED):
        text = form.sub(lambda found: f"{found.groupdict().get('kept') or ''}{HIDDEN}", text)
    for value in values:
        if value in text:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", HIDDEN, text)
    return text


def _is_words(value: str) -> bool:
    return len(value) < LONGEST_WORDS and WORDS.fullmatch(value) is not None


@cache
def _is_telling(name: str) -> bool:
    """Whether a variable's name says that its value is secret."""
    return bool(TELLING.search(name.upper())) and not NOT_TELLING.search(name.upper())


def _secret_values(environment: Mapping[str, str]) -> list[str]:
    """The values of variables whose names say that they are secret, the longest first."""
    values = {environment[name] for name in environment if _is_telling(name)}
    if not values:
        return []
    here = f"{Path.home()}\0{Path.cwd()}"
    found = {
        value
        for value in values
        if len(value) >= SHORTEST
        and not value.replace(".", "").isdigit()
        and not value.startswith(("/", "~"))
        and value not in here
    }
    return sorted(found, key=len, reverse=True)
