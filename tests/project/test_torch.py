"""torch, which only training needs: there as pinned, or left out on purpose."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from adatom import pipelines
from adatom.errors import MissingExtraError


@pytest.mark.network
@pytest.mark.skipif(
    find_spec("torch") is None,
    reason="torch is left out: python3 do.py test without --core installs it",
)
def test_the_pinned_torch_computes_a_gradient() -> None:
    code = (
        "import torch; x = torch.tensor(3.0, requires_grad=True); (x * x).backward(); "
        "print(torch.__version__.partition('+')[0], x.grad.item())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.stdout.split() == ["2.13.0", "6.0"], result.stderr


def test_nothing_loads_torch_unasked() -> None:
    code = (
        "import sys, adatom; from adatom import clustering, descriptors, io, localization; "
        "localization.find_atoms, io.read_image, clustering.cluster_kmeans; "
        "from adatom import networks, pipelines; "
        "[getattr(room, name) for room in (networks, pipelines) for name in room.__all__]; "
        "print('torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.stdout == "False\n", result.stderr


@pytest.mark.parametrize("step", ["train_finder", "train_ensemble"])
def test_without_torch_a_training_says_how_to_get_it(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'adatom\[train\]'"):
        getattr(pipelines, step)()
