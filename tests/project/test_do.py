"""The set-up script: what it says, waits for, and rebuilds."""

from __future__ import annotations

import ast
import importlib.util
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give a copy of do.py in a folder of its own whose set-up commands are only noted."""
    shutil.copy(ROOT / "do.py", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "requirements-train.txt", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    spec = importlib.util.spec_from_file_location("do_copy", tmp_path / "do.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    commands: list[list[str]] = []

    def note(*command: object) -> None:
        commands.append([str(word) for word in command])
        if "venv" in commands[-1]:
            python = module.python_of_venv()
            python.parent.mkdir(parents=True)
            python.touch()

    monkeypatch.setattr(module, "run", note)
    module.commands = commands  # type: ignore[attr-defined]
    return module


def _installed(do: ModuleType) -> list[str]:
    return [Path(line[-1]).name for line in do.commands if "--requirement" in line]


def test_an_old_python_gets_one_clear_line() -> None:
    source = (ROOT / "do.py").read_text(encoding="utf-8")
    old = source.replace("OLDEST = (3, 11)", "OLDEST = (99, 0)")
    result = subprocess.run(
        [sys.executable, "-c", old], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "adatom needs Python 99.0 or newer, this is 3." in result.stderr


def test_old_pythons_can_read_it_far_enough_to_say_so() -> None:
    ast.parse((ROOT / "do.py").read_text(encoding="utf-8"), feature_version=(3, 6))


def test_it_imports_the_standard_library_only() -> None:
    tree = ast.parse((ROOT / "do.py").read_text(encoding="utf-8"))
    names = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_the_core_is_set_up_once(do: ModuleType) -> None:
    do.set_up(["core"])
    assert _installed(do) == ["core.txt"]
    assert [line[-1] for line in do.commands[-1:]] == ["check"]
    count = len(do.commands)
    do.set_up(["core"])
    assert len(do.commands) == count


def test_tests_add_to_the_core_without_rebuilding(do: ModuleType) -> None:
    do.set_up(["core"])
    do.set_up(["core", "test", "train"])
    assert _installed(do) == ["core.txt", "test.txt", "requirements-train.txt"]
    assert sum("venv" in line for line in do.commands) == 1


def test_a_half_made_environment_is_rebuilt(do: ModuleType) -> None:
    do.VENV.mkdir()
    (do.VENV / "half").touch()
    do.set_up(["core"])
    assert not (do.VENV / "half").exists()
    assert do.STAMP.exists()


def test_a_failed_installation_leaves_no_stamp(
    do: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    do.set_up(["core"])
    note = do.run

    def fail(*command: object) -> None:
        if "--requirement" in command:
            sys.exit("no network")
        note(*command)

    monkeypatch.setattr(do, "run", fail)
    with pytest.raises(SystemExit, match="no network"):
        do.set_up(["core", "test"])
    assert do.found() == {}


def test_a_changed_lock_file_rebuilds(do: ModuleType) -> None:
    do.set_up(["core"])
    do.PARTS["core"].write_text("six==1.16.0\n", encoding="utf-8")
    do.set_up(["core"])
    assert sum("venv" in line for line in do.commands) == 2


def test_a_damaged_stamp_counts_as_none(do: ModuleType) -> None:
    do.set_up(["core"])
    do.STAMP.write_text("{", encoding="utf-8")
    assert do.found() == {}
    do.STAMP.write_text(json.dumps(["core"]), encoding="utf-8")
    assert do.found() == {}


def test_a_second_start_waits_for_the_first(do: ModuleType, tmp_path: Path) -> None:
    second = (
        "import importlib.util as u;"
        f"s = u.spec_from_file_location('do', {str(tmp_path / 'do.py')!r});"
        "m = u.module_from_spec(s); s.loader.exec_module(m)\n"
        "with m.only_one(): print('mine', flush=True)"
    )
    with do.only_one():
        process = subprocess.Popen(
            [sys.executable, "-c", second], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert "waiting" in process.stdout.readline()
        time.sleep(0.7)
        assert process.poll() is None
    assert process.communicate(timeout=20)[0] == "mine\n"


def test_torch_is_pinned_and_torchvision_is_nowhere() -> None:
    assert (ROOT / "requirements-train.txt").read_text(encoding="utf-8") == "torch==2.13.0\n"
    for path in [*(ROOT / "requirements").iterdir(), ROOT / "pyproject.toml"]:
        assert "torchvision>" not in path.read_text(encoding="utf-8")
        assert "torchvision=" not in path.read_text(encoding="utf-8")
