"""Compare runs: params that differ, scores, and whether scores differ significantly."""

from cvnlp.comparison.evidence import Evidence, TestSet
from cvnlp.comparison.verdict import Outcome, Verdict, adjusted, better

__all__ = ["Evidence", "Outcome", "TestSet", "Verdict", "adjusted", "better"]
