"""``streamproc doctor``: what this machine has and lacks."""

from streamproc.cli import options
from streamproc.cli.failures import DONE, FAILED
from streamproc.cli.machine import Finding, examine
from streamproc.cli.screen import line, print_json, result_console, table
from streamproc.core import VERSION

_STYLE = {"ok": "green", "note": "", "warning": "yellow", "bad": "bold red"}


def doctor(
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.ERROR,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Look at Python, the libraries, the processor, the clock and the limits; changes nothing."""
    findings = examine()
    bad = [f for f in findings if f.verdict == "bad"]
    console = result_console(as_json=json)
    rows = table("", "verdict", "what", "found")
    rows.columns[1].justify = "left"
    rows.columns[2].justify = "left"
    for finding in findings:
        rows.add_row(
            "", finding.verdict, finding.what, _words(finding), style=_STYLE[finding.verdict]
        )
    console.print(rows)
    warned = sum(f.verdict == "warning" for f in findings)
    end = f"{len(bad)} things keep it from working" if bad else "streamproc can work here"
    line(
        console, f"streamproc {VERSION}: {end}" + (f", {warned} warnings" if warned else ""), "bold"
    )
    if json:
        print_json(
            {
                "version": VERSION,
                "ok": not bad,
                "findings": {
                    f.what: {"verdict": f.verdict, "found": f.found, "advice": f.advice or None}
                    for f in findings
                },
            }
        )
    return FAILED if bad else DONE


def _words(finding: Finding) -> str:
    return f"{finding.found}: {finding.advice}" if finding.advice else finding.found
