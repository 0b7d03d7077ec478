"""Modules that have moved: pickles and imports by their names of 0.1.0 find them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["MOVED", "install"]

MOVED = {
    "fastlogit.batches": "fastlogit.inputs.batches",
    "fastlogit.estimator": "fastlogit.estimators.logistic",
    "fastlogit.grid": "fastlogit.fitting.grid",
    "fastlogit.leverage": "fastlogit.inference.leave_one_out",
    "fastlogit.model_selection": "fastlogit.estimators.cross_validation",
    "fastlogit.multinomial": "fastlogit.objective.multinomial",
    "fastlogit.online": "fastlogit.fitting.online",
    "fastlogit.path": "fastlogit.fitting.path",
    "fastlogit.scalar": "fastlogit.compiled",
}


class _Moved(MetaPathFinder, Loader):
    """Finds a module under its old name: the same module, not a second one."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a name of old is; None for any other."""
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module itself."""
        module = importlib.import_module(MOVED[spec.name])
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Leave it as it is: the import has only put another specification in its place."""
        module.__spec__ = self._spec


def install() -> None:
    """Let imports ask here last."""
    if not any(isinstance(finder, _Moved) for finder in sys.meta_path):
        sys.meta_path.append(_Moved())
