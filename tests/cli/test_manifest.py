"""``streamproc manifest``, and what ``check`` makes of it."""

import shutil
from pathlib import Path

from tests.cli.support import MARKET, streamproc


def test_what_is_written_down_is_kept_to(tmp_path: Path) -> None:
    shutil.copytree(MARKET.parent, tmp_path / "market")
    folder = tmp_path / "market"
    answer = streamproc("manifest", "pipeline.yaml", "--json", cwd=folder)
    assert answer.code == 0, answer.err
    manifest = folder / answer.json["manifest"]
    assert manifest.name == "model.manifest.json"
    check = ("check", "pipeline.yaml", "--offline")
    assert streamproc(*check, cwd=folder).code == 0

    manifest.write_text(manifest.read_text().replace('"sha256": "', '"sha256": "0'))
    answer = streamproc(*check, cwd=folder)
    assert answer.code == 2
    line = 1 + next(
        n
        for n, text in enumerate((folder / "pipeline.yaml").read_text().splitlines())
        if text.strip().startswith("path:")
    )
    assert f"pipeline.yaml:{line}: model.path: " in answer.err
    assert "is not what the manifest" in answer.err
    assert streamproc("manifest", "pipeline.yaml", cwd=folder).code == 0
    assert streamproc(*check, cwd=folder).code == 0
