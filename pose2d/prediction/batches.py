"""Pictures of several cameras and instants read by the network in one batch, before each view is followed in turn.

A single animal is expected, in all instants of a batch, where it was before them; a picture in which it has left that
window is read again by itself. Of several animals the search in a picture depends on nothing before it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...datasets import Array
from ...formats.video.reading import Image
from ..inference.animal_boxes import find_middles
from ..inference.animal_groups import find_animals
from ..inference.animal_search import Finder
from ..inference.box_search import BoxFinder
from ..inference.engine import Found
from ..pictures.image_transforms import warp

ON_GPU = 8  # instants in a batch: more gain little, and an animal leaves its window while they pass


class Seen(NamedTuple):
    """What a window showed that was read in a batch, and the place it lies around (None: the whole picture)."""

    centre: Array | None
    found: Found


def n_instants(finder: Finder | BoxFinder, wanted: int | str, runtime: str) -> int:
    """Instants to read together, 0: each picture by itself. On a processor batches do not help (measured).

    Raises
    ------
    ValueError : the number is negative, or no number
    """
    if wanted == "auto":
        on_gpu = next(finder.engine.network.parameters()).device.type == "cuda"
        wanted = ON_GPU if on_gpu and runtime in ("auto", "torch") else 0
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 0:
        raise ValueError(f'batch_instants is a number of instants, 0 or more, or "auto"; got {wanted!r}')
    # a box is scaled to the network's input: where the animal is searched for, the next box depends on the last
    return min(wanted, 1) if isinstance(finder, BoxFinder) and finder.box is None else wanted


def read_together(
    finder: Finder | BoxFinder, tracks: Mapping[str, Any], chunk: Sequence[Mapping[str, Image | None]]
) -> list[dict[str, Any]]:
    """{camera: what its track's `step` takes as seen} of each of some instants."""
    if isinstance(finder, Finder) and finder.finds_several:
        return _several_together(finder, tracks, chunk)
    by_size: dict[Hashable, list[tuple[int, str, Array | None, Array, Image]]] = {}
    for i, images in enumerate(chunk):
        for name, image in images.items():
            first = None if image is None else tracks[name].first_view(image)
            if image is not None and first is not None:
                centre, view = first
                by_size.setdefault(view[1], []).append((i, name, centre, view[0], warp(image, *view)))
    seen: list[dict[str, Any]] = [{} for _ in chunk]
    for batch in by_size.values():
        numbers, names, centres, matrices, inputs = zip(*batch, strict=True)
        founds = finder.engine.read(np.stack(inputs), list(matrices))
        for i, name, centre, found in zip(numbers, names, centres, founds, strict=True):
            seen[i][name] = Seen(centre, found)
    return seen


def _several_together(
    finder: Finder, tracks: Mapping[str, Any], chunk: Sequence[Mapping[str, Image | None]]
) -> list[dict[str, list[Found]]]:
    """The animals of each picture: pictures of one size at one look, then the windows around all their middles."""
    by_size: dict[Hashable, list[tuple[int, str, Image]]] = {}
    for i, images in enumerate(chunk):
        for name, image in images.items():
            if image is not None:
                by_size.setdefault((image.shape, tracks[name].n_animals), []).append((i, name, image))
    seen: list[dict[str, list[Found]]] = [{} for _ in chunk]
    for kind, batch in by_size.items():
        images = [image for _, _, image in batch]
        founds = _animals_of(finder, images, kind[1], ("whole", *kind))  # type: ignore[index]
        for (i, name, _), own in zip(batch, founds, strict=True):
            seen[i][name] = own
    return seen


def _animals_of(finder: Finder, images: list[Image], n_animals: int, kind: Hashable) -> list[list[Found]]:
    """The animals of pictures of one size, as many pictures at a time as the memory holds."""
    engine = finder.engine
    if finder.bottom_up:
        return engine.in_pieces(
            lambda some: find_animals(engine, images[some], n_animals, finder.animal_side), len(images), kind
        )
    assert finder.animal_detector is not None
    locator = finder.animal_detector.engine
    middles = locator.in_pieces(lambda some: find_middles(locator, images[some], n_animals), len(images), kind)
    return _windows(finder, images, middles)


def _windows(finder: Finder, images: Iterable[Image], middles: Iterable[Array]) -> list[list[Found]]:
    """What windows around the middles of each picture show, all read in one batch."""
    views = [[finder.window_at(centre, finder.crop) for centre in own] for own in middles]
    pairs = [(image, view) for image, own in zip(images, views, strict=True) for view in own]
    if not pairs:
        return [[] for _ in views]
    inputs = np.stack([warp(image, *view) for image, view in pairs])
    founds = iter(finder.engine.read(inputs, [matrix for _, (matrix, _) in pairs]))
    left = iter(pairs)
    return [[finder.through(*next(left), next(founds)) for _ in own] for own in views]
