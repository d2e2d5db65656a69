"""Owns the list of all bugs that can be planted, and of those that the simulator is known to find."""

from collections.abc import Mapping
from typing import Final

from tests.simulation.mutations import money, paying, settling, storing, telling, unseen
from tests.simulation.mutations.mutation import Mutation

FOUND: Final = tuple(
    each.name for module in (storing, money, paying, settling, telling) for each in module.MUTATIONS
)
"""What is hunted unless others are named."""
MUTATIONS: Final[Mapping[str, Mutation]] = {
    each.name: each
    for module in (storing, money, paying, settling, telling, unseen)
    for each in module.MUTATIONS
}
"""Name -> bug."""
