"""Labels that do not go with the number of animals which the session states, found before anything is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path


def label_problems(folders: Mapping[Path, bool], count: int | None) -> list[str]:
    """One sentence where labels cannot be read, pictures show more labelled animals than `count`, or none tells several
    apart.

    folders : {folder of labelled frames: whether they are of this recording}; absent ones are left out
    """
    from ...formats.labels.labelled_frames import join_labels
    from ...formats.labels.reading import read_labels

    try:
        parts = {folder: read_labels(folder) for folder in folders if folder.exists()}
        most = join_labels(list(parts.values())).n_animals if parts else 0
    except (ValueError, OSError) as error:
        return [str(error)]
    if count is None:
        return []
    for labels in (labels for folder, labels in parts.items() if folders[folder]):
        if labels.n_animals > count:
            picture, n_labelled = Counter(labels.pictures).most_common(1)[0]
            return [
                f"{picture} has {n_labelled} labelled animals, but [animals] count is {count}; set count ="
                f" {n_labelled}, or take out the labels of what is no animal"
            ]
    if parts and most == 1 < count:
        return [
            f"[animals] count is {count}, but no picture has labels of more than one animal; label every animal of a"
            " picture, each as an individual of its own, or set count = 1"
        ]
    return []
