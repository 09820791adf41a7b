"""A run -> one HTML file that opens anywhere.

=================  ==========================================================
``write_report``   the steps of a run, told in words, pictures and tables
``write_index``    one page over the reports of many files
``write_atlas``    a library of defects, with a card for every class
``compare_runs``   classes of many files -> table of their counts and shares
``RunRecord``      what a report is written from, with ``StepRecord``,
                   ``SourceRecord``; ``RunOutcome`` for the index
=================  ==========================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.report.atlas import write_atlas
    from adatom.report.comparison import compare_runs
    from adatom.report.index import write_index
    from adatom.report.page import write_report
    from adatom.report.records import RunOutcome, RunRecord, SourceRecord, StepRecord

__all__ = [
    "RunOutcome",
    "RunRecord",
    "SourceRecord",
    "StepRecord",
    "compare_runs",
    "write_atlas",
    "write_index",
    "write_report",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "RunOutcome": "records",
        "RunRecord": "records",
        "SourceRecord": "records",
        "StepRecord": "records",
        "compare_runs": "comparison",
        "write_atlas": "atlas",
        "write_index": "index",
        "write_report": "page",
    },
)
