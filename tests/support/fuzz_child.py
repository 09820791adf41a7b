"""A child process that reads damaged files, so that hangs and crashes are told, not suffered.

`FuzzChild` is for the tests. Run as a script, this file is the child: it reads
paths from the standard input, and answers each with a line of JSON.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MEMORY: Final = 2**30
"""Bytes that a case may take beyond what the imports took."""
CPU_SECONDS: Final = 10
# Other work on the machine may slow a case; only one that sleeps forever takes this long.
_WALL_SECONDS: Final = 90
_MAX_DATASETS: Final = 4
_READS_OF_A_CHILD: Final = 400
_MAX_TOUCHED: Final = 2**26


@dataclass(frozen=True)
class Outcome:
    """What became of a file: "read", "refused", or what is wrong with adatom."""

    status: str
    text: str

    @property
    def honest(self) -> bool:
        """Whether it is data of a kind, or a `ReadError` that did not wait for memory to end."""
        return self.status in {"read", "refused"}


class FuzzChild:
    """The child, started again where a file killed it."""

    def __init__(self, folder: Path, warm: tuple[Path, ...] = ()) -> None:
        self._folder = folder
        self._warm = warm
        self._process: subprocess.Popen[bytes] | None = None
        self._reads = 0

    def read(self, path: Path) -> Outcome:
        """Read all of a file in the child."""
        # What libraries leave behind of damaged files must not be laid to the charge of others.
        self._reads += 1
        if self._reads % _READS_OF_A_CHILD == 0:
            self.close()
        return self._ask(self._running(), path)

    def close(self) -> None:
        """End the child."""
        if self._process is not None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.close()
            self._process.wait(30)
            self._process.stdout.close()
            self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [sys.executable, __file__, *map(str, self._warm)]
            # What is unpacked, and left behind by a child that died, goes with the tests' folder.
            surroundings = {
                **os.environ,
                "TMPDIR": str(self._folder),
                "OMP_NUM_THREADS": "1",
                # Memory is limited by its addresses: no library may reserve some for later.
                "ARROW_DEFAULT_MEMORY_POOL": "system",
                "MALLOC_ARENA_MAX": "2",
            }
            with (self._folder / "complaints").open("wb") as complaints:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=complaints,
                    env=surroundings,
                )
            assert self._answer(self._process) == ["ready"], self._complaints()
        return self._process

    def _ask(self, process: subprocess.Popen[bytes], path: Path) -> Outcome:
        assert process.stdin is not None
        process.stdin.write(json.dumps(str(path)).encode() + b"\n")
        process.stdin.flush()
        answer = self._answer(process)
        if answer is not None:
            return Outcome(*answer)
        # It may have ended by itself, or sleep.
        process.kill()
        code = process.wait()
        self._process = None
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
        what = {-24: f"hung for {CPU_SECONDS} s", -9: f"slept {_WALL_SECONDS} s or was killed"}
        return Outcome("died", f"{what.get(code, f'ended with {code}')}: {self._complaints()}")

    def _answer(self, process: subprocess.Popen[bytes]) -> Any:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], _WALL_SECONDS)
        line = process.stdout.readline() if ready else b""
        return json.loads(line) if line else None

    def _complaints(self) -> str:
        return (self._folder / "complaints").read_text("utf-8", "replace")[:2000]


def main() -> None:
    """Answer paths on the standard input until it ends."""
    import faulthandler
    import resource

    faulthandler.enable()
    # What a library prints would be lost among the answers: it goes to a file, and is a fault.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    printed = tempfile.TemporaryFile()  # noqa: SIM115 -- for as long as the process lives
    os.dup2(printed.fileno(), 1)
    for path in sys.argv[1:]:
        _outcome(path)
    _limit_memory()
    answers.write(b'["ready"]\n')
    for line in sys.stdin.buffer:
        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = int(used.ru_utime + used.ru_stime) + CPU_SECONDS + 1
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
        before = os.fstat(printed.fileno()).st_size
        status, text = _outcome(json.loads(line))
        sys.stdout.flush()
        if os.fstat(printed.fileno()).st_size != before:
            status, text = "printed", f"to the standard output; {status}: {text}"
        answers.write(json.dumps([status, text]).encode() + b"\n")


def _limit_memory() -> None:
    import resource

    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _outcome(path: str) -> tuple[str, str]:
    import traceback
    import warnings

    from adatom.errors import AdatomWarning, ReadError

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", AdatomWarning)
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            _read_all(Path(path))
        except ReadError as refusal:
            short_of_memory = isinstance(refusal.__cause__, MemoryError)
            result = ("memory" if short_of_memory else "refused", str(refusal))
        except BaseException:  # noqa: BLE001 -- whatever comes out is to be told
            return "raised", traceback.format_exc(limit=-12)
        else:
            result = ("read", "")
    if caught:
        return "warned", f"{caught[0].filename}:{caught[0].lineno}: {caught[0].message}"
    return result


def _read_all(path: Path) -> None:
    """Read every dataset as what it is; a choice that is asked for is an answer, too."""
    import dask

    from adatom.errors import ReadError
    from adatom.io import read_contents, read_data, read_image

    names = [str(name) for name in read_contents(path)["name"].values[:_MAX_DATASETS]]
    refusals = []
    with dask.config.set(scheduler="synchronous"):
        for name in names:
            try:
                _touch(read_data(path, dataset=name))
            except ReadError as refusal:
                if "it is a color picture" in str(refusal):
                    _touch(read_image(path, dataset=name, channel="luminance"))
                else:
                    refusals.append(refusal)
    # Shortage of memory must not hide behind a dataset that was read.
    refusals.sort(key=lambda one: not isinstance(one.__cause__, MemoryError))
    if refusals:
        raise refusals[0]


def _touch(data: Any) -> None:
    from adatom.schema import STRUCTURE, kind_of_data

    kind = kind_of_data(data)
    assert kind is not None
    kind.check(data)
    if kind is STRUCTURE:
        data.get_positions()
        return
    if data.nbytes > _MAX_TOUCHED:
        data = data.isel({dim: slice(0, 64) for dim in data.dims})
    data.compute()


if __name__ == "__main__":
    main()
