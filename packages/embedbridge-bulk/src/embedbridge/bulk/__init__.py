"""Bulk: millions of rows from files to files, each content paid once.

`EmbedStage` embeds an Arrow table; `run` goes from a source to a target, on this machine or with the
workers of a cluster. Importing it is light: pyarrow and the engine come with the first use.
"""

from typing import TYPE_CHECKING

from embedbridge.contract.lazy import lazy_exports

if TYPE_CHECKING:
    from embedbridge.bulk.columns import Columns as Columns
    from embedbridge.bulk.dry_run import Estimate as Estimate
    from embedbridge.bulk.dry_run import estimate as estimate
    from embedbridge.bulk.engines.ray_engine import RayEngine as RayEngine
    from embedbridge.bulk.errors import EngineError as EngineError
    from embedbridge.bulk.errors import RowError as RowError
    from embedbridge.bulk.errors import SourceError as SourceError
    from embedbridge.bulk.errors import TargetError as TargetError
    from embedbridge.bulk.provenance import Provenance as Provenance
    from embedbridge.bulk.report import Report as Report
    from embedbridge.bulk.runner import run as run
    from embedbridge.bulk.stage import EmbedStage as EmbedStage
    from embedbridge.bulk.targets.open import read_provenance as read_provenance

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "columns": ["Columns"],
        "engines.ray_engine": ["RayEngine"],
        "errors": ["EngineError", "RowError", "SourceError", "TargetError"],
        "provenance": ["Provenance"],
        "report": ["Report"],
        "dry_run": ["Estimate", "estimate"],
        "runner": ["run"],
        "stage": ["EmbedStage"],
        "targets.open": ["read_provenance"],
    },
)
