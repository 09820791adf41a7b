"""AtomAI's part of ``../transitions.py``; run by the environment in this folder, called by that.

    python transitions.py TRACKS.npz FOUND.npz

Its functions are called as they are, on classes numbered from 1 as its mixtures do.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))


def main(tracks: Path, found: Path) -> None:
    from segment import stand_in_for_torchvision

    stand_in_for_torchvision()
    from atomai.stat import calculate_transition_matrix, imlocal, sum_transitions

    held = np.load(tracks)
    n_states = int(held["n_states"])
    matrices, seconds = [], []
    for movie in range(int(held["n_movies"])):
        track, frame, state = (held[f"{name}_{movie}"] for name in ("track", "frame", "state"))
        begin = time.process_time()
        # It follows what is there in the first frame, and closes gaps.
        first = np.unique(track[frame == frame.min()])
        trajectories = [np.column_stack([state[track == k] + 1] * 2) for k in first]
        transitions = [
            calculate_transition_matrix(imlocal.renumerate_classes(each[:, -1]))
            for each in trajectories
        ]
        told = {"trajectories": trajectories, "transitions": transitions}
        matrices.append(sum_transitions(told, n_states))
        seconds.append(time.process_time() - begin)
    np.savez(found, matrices=np.array(matrices), seconds=np.array(seconds))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
