"""The life of a key (密钥生命周期): states, the changes between them, and what each state lets a key do.

After GB/T 39786-2021 §8 and NIST SP 800-57 part 1 §7: a deactivated key still opens and checks what it made before, a
compromised one does nothing, a destroyed one is gone and only its record remains.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from crypto.errors import KeyStateRefused


class State(StrEnum):
    """Where a key is in its life."""

    PRE_ACTIVE = "pre-active"
    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    COMPROMISED = "compromised"
    DESTROYED = "destroyed"


class Operation(StrEnum):
    """What one may want of a key: the first two make something new, the last two work on what there is."""

    SIGN = "sign"
    ENCRYPT = "encrypt"
    VERIFY = "verify"
    DECRYPT = "decrypt"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.PRE_ACTIVE: frozenset({State.ACTIVE, State.COMPROMISED, State.DESTROYED}),
    State.ACTIVE: frozenset({State.DEACTIVATED, State.COMPROMISED}),
    State.DEACTIVATED: frozenset({State.COMPROMISED, State.DESTROYED}),
    State.COMPROMISED: frozenset({State.DESTROYED}),
    State.DESTROYED: frozenset(),
}
ALLOWED: Mapping[State, frozenset[Operation]] = {
    State.PRE_ACTIVE: frozenset(),
    State.ACTIVE: frozenset(Operation),
    State.DEACTIVATED: frozenset({Operation.VERIFY, Operation.DECRYPT}),
    State.COMPROMISED: frozenset(),
    State.DESTROYED: frozenset(),
}


def check_transition(name: str, before: State, after: State) -> None:
    """Return quietly if the key may change so, else raise KeyStateRefused."""
    if after not in TRANSITIONS[before]:
        raise KeyStateRefused(
            "key '{name}' is {before} and cannot become {after}",
            "from there it can become: {possible}",
            where=f"key:{name}",
            name=name,
            before=before.value,
            after=after.value,
            possible=", ".join(sorted(TRANSITIONS[before])) or "-",
        )


def check_use(name: str, state: State, operation: Operation) -> None:
    """Return quietly if a key in this state may do so, else raise KeyStateRefused."""
    if operation not in ALLOWED[state]:
        raise KeyStateRefused(
            "key '{name}' is {state} and must not {operation}",
            "use an active key: `yw crypto keys ls` shows the states",
            where=f"key:{name}",
            name=name,
            state=state.value,
            operation=operation.value,
        )
