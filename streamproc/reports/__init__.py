"""A run as one HTML page, to be looked at, kept and sent on."""

from streamproc.reports.bench import BenchPage, BenchRun, render_bench
from streamproc.reports.comparison import ComparedRun, Comparison, render_comparison
from streamproc.reports.difference import (
    ReportedBound,
    ReportedDifference,
    ReportedSide,
    render_difference,
)
from streamproc.reports.files import ReportFile
from streamproc.reports.page import render
from streamproc.reports.profile import OperatorTime, Profile, StageShare, render_profile
from streamproc.reports.quantities import share
from streamproc.reports.run import Check, Run
from streamproc.reports.stacks import Function, read_stacks
from streamproc.reports.sweep import SweepPage, SweptRun, render_sweep
from streamproc.reports.words import OUTCOME_WORDS

__all__ = [
    "OUTCOME_WORDS",
    "BenchPage",
    "BenchRun",
    "Check",
    "ComparedRun",
    "Comparison",
    "Function",
    "OperatorTime",
    "Profile",
    "ReportFile",
    "ReportedBound",
    "ReportedDifference",
    "ReportedSide",
    "Run",
    "StageShare",
    "SweepPage",
    "SweptRun",
    "read_stacks",
    "render",
    "render_bench",
    "render_comparison",
    "render_difference",
    "render_profile",
    "render_sweep",
    "share",
]
