"""The guest's side of a conversation with the host, in lines of JSON.

First of all the program says {}, once it can be asked. Questions come on stdin, such as

    {"ask": NAME, ...}

and each has an answer on stdout, an object. The end of stdin is the end of the conversation.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any


def serve(**answers: Callable[..., dict[str, Any] | None]) -> None:
    """Answer each question by the function of its name, which gets the rest of it by name, too."""
    _say({})
    for line in sys.stdin:
        question = json.loads(line)
        _say(answers[question.pop("ask")](**question) or {})


def _say(facts: dict[str, Any]) -> None:
    print(json.dumps(facts), flush=True)
