"""Choose the lens model by its evidence: how probable the corners are under it, whatever its coefficients.

Held-out corners know a lens only where boards were. The evidence counts what the data leave open of each model against
what is known of real lenses (`lens_prior`), and so tells how far a model may be trusted where no board was. The board's
own shape is estimated along with every model: a bent board otherwise passes for a richer lens.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sized
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from ...numerics.arrays import Array
from ..boards.board_set import BoardSet
from ..boards.patterns import Board
from ..solver.initial_lenses import LensKind, initial_lens
from ..solver.initial_poses import spread_frames
from ..solver.robust_solution import Problem, Solution, Start, frames_of, resolved, solve
from .model_evidence import Yardstick, lens_evidences, log_evidence, make_yardstick
from .part_of_rig import ENOUGH, part_around

_Steps = TypeVar("_Steps", bound=Sized)
CANDIDATES: tuple[LensKind, ...] = (2, 4, 5, 8, "fisheye")  # tried first, each for all lenses
SIMPLEST: tuple[LensKind, ...] = (1,)  # tried where 2 coefficients are near the best of the first
RICHER: tuple[LensKind, ...] = (12, 14)  # tried where 8 coefficients are the best of the first
_SIMPLE = (1, 2)  # coefficients that stand for 4, since every lens is a little decentred
_MAX_VIEWS = 60  # frames with a board that models are compared on, those seen most differently; more if cameras see few
# evidence, natural logarithm, that rare lenses must gain: for each corner, those of more than 8 coefficients (no model
# is exact, and 0.04 are 2 % of the noise), and each lens of another kind than most of the rig's, which are mostly alike
_RICH, _ANOTHER = 0.04, 5.0
# evidence that a lens may lose as another kind, all lenses alike, to be tried as it alone: so much, and this share of
# what all lose together, since lenses that are not of the kind spoil the others' share; of more than `ENOUGH` lenses,
# what so many lose: they spoil the boards' poses, no matter how many others see these
_TRIED, _SPOILT = 10.0, 0.1
_NEAR = 25.0  # evidence that it may then lose for similar kinds to be tried: with fewer coefficients, it loses less
_PROBABLE = -3.0  # evidence, 5 % probable, from which what was tried among a few cameras is tried in the whole rig


@dataclass(frozen=True, eq=False)
class Comparison:
    """Solutions of the same frames with different lenses, and logarithms of their probabilities up to a constant."""

    solutions: tuple[Solution, ...]
    measure: Yardstick
    log_probabilities: Array

    @property
    def best(self) -> Solution:
        """The most probable one."""
        return self.solutions[int(np.argmax(self.log_probabilities))]

    def with_another(self, solution: Solution) -> Comparison:
        """One solution more, measured as the others are."""
        more = np.append(self.log_probabilities, log_probability(solution, self.measure))
        return replace(self, solutions=(*self.solutions, solution), log_probabilities=more)


def compare(solutions: tuple[Solution, ...]) -> Comparison:
    """The probabilities of solutions of the same frames."""
    measure = make_yardstick(min(solutions, key=lambda solution: solution.sigma))
    return Comparison(solutions, measure, np.array([log_probability(solution, measure) for solution in solutions]))


def log_probability(solution: Solution, measure: Yardstick) -> float:
    """The evidence, less what rare lenses must gain."""
    kinds, auto = np.array(solution.kinds, object), solution.problem.auto
    kinds[[kind in _SIMPLE for kind in kinds]] = 4
    common = Counter(kinds[auto]).most_common(1)[0][0]
    rich = np.isin(np.arange(len(kinds)), [lens for lens in np.flatnonzero(auto) if kinds[lens] in RICHER])
    handicap = _RICH * _corners(solution)[rich].sum() + _ANOTHER * np.count_nonzero(kinds[auto] != common)
    evidence = log_evidence(solution, measure)
    return evidence - float(handicap) if np.isfinite(evidence) else -np.inf  # argmax takes NaN for the greatest


def _corners(solution: Solution) -> Array:
    """(n_lenses,) corners that each lens shows."""
    return np.bincount(solution.problem.lens_of[solution.camera_of], minlength=len(solution.kinds)).astype(float)


def choose_lenses(problem: Problem, start: Start, bar: tqdm) -> tuple[Solution, Comparison]:
    """The solution with the most probable lenses, its board as printed, and what they were compared with.

    All lenses whose model is open get the same kind, then single ones another with which they are more probable.
    bar: counts the models that were tried.
    """
    bar.set_description("lens models")
    found = compare_lenses(problem, compared_frames(problem, start), bar)
    best = found.best
    rig = best.state
    return solve(problem, replace(start, kinds=best.kinds, lens=rig.lens, R=rig.R, t=rig.t)), found


def shape_sigma_of(board: Board | BoardSet) -> float:
    """How far a corner may lie from where it was meant to be printed, world units: 1 % of a square."""
    return 0.01 * board.square_length


def compare_lenses(problem: Problem, start: Start, bar: tqdm) -> Comparison:
    """The kinds of lenses, one for all, then single lenses as the other kind, pinhole or fisheye."""
    found = compare(_one_kind(problem, start, CANDIDATES, bar))
    if found.log_probabilities[0] > found.log_probabilities.max() - _NEAR * len(start.kinds):
        found = compare(found.solutions + _one_kind(problem, resolved(found.solutions[0]), SIMPLEST, bar))
    if 8 in np.array(found.best.kinds, object)[problem.auto]:
        found = compare(found.solutions + _one_kind(problem, resolved(found.best), RICHER, bar))
    for lens, kind in counted(_other_kinds(found), bar).items():
        found = _with_one_lens(found, lens, kind)
        bar.update()
    return _with_tangential_terms(found)


def _with_tangential_terms(found: Comparison) -> Comparison:
    """The comparison, 4 coefficients in place of fewer in the best solution.

    Every lens is a little decentred, and camera centres depend on it: whether the corners ask for that decides between
    no kinds, and to take it for none would bias the rest by more than its standard deviation.
    """
    best = found.best
    asked: dict[int, LensKind] = {int(i): 4 for i in np.flatnonzero(best.problem.auto) if best.kinds[i] in _SIMPLE}
    if not asked:
        return found
    whole = _with_kinds(best.problem, resolved(best), asked)
    stays = [one is best or one.kinds != whole.kinds for one in found.solutions]
    solutions = tuple(whole if one is best else one for one in itertools.compress(found.solutions, stays))
    return replace(found, solutions=solutions, log_probabilities=found.log_probabilities[stays])


def _one_kind(problem: Problem, start: Start, kinds: tuple[LensKind, ...], bar: tqdm) -> tuple[Solution, ...]:
    """The solutions with each kind for all lenses that are open, each pinhole from the one before."""
    solutions: list[Solution] = []
    for kind in counted(kinds, bar):
        before = start if not solutions else resolved(solutions[-1])
        asked = {int(lens): kind for lens in np.flatnonzero(problem.auto)}
        solutions.append(_with_kinds(problem, before, asked))
        bar.update()
    return tuple(solutions)


def counted(steps: _Steps, bar: tqdm) -> _Steps:
    """The steps, their number added to those that the bar expects."""
    bar.total += len(steps)
    bar.refresh()
    return steps


def _other_kinds(found: Comparison) -> dict[int, LensKind]:
    """{lens: kind} of lenses that may be pinholes while the best solution's are fisheyes, or the other way round."""
    shares = np.stack([lens_evidences(solution, found.measure) for solution in found.solutions])
    others, at = {}, int(np.argmax(found.log_probabilities))
    spoilt = _SPOILT * min(1.0, ENOUGH / len(found.best.kinds))
    allowed = _TRIED + spoilt * (found.log_probabilities[at] - found.log_probabilities)
    for lens in np.flatnonzero(found.best.problem.auto):
        is_fisheye = np.array([solution.kinds[lens] == "fisheye" for solution in found.solutions])
        alike = is_fisheye == is_fisheye[at]
        gain = np.where(alike, -np.inf, shares[:, lens] - shares[alike, lens].max() + allowed)
        if gain.max() > 0:
            others[int(lens)] = found.solutions[int(np.argmax(gain))].kinds[lens]
    return others


def _with_one_lens(found: Comparison, lens: int, kind: LensKind) -> Comparison:
    """The comparison with one lens of the best solution as another kind, and if that is near it, similar kinds.

    In a rig of many cameras the kinds are tried among the cameras nearest to it, and only what is probable in the rig.
    """
    before = found.best
    if before.problem.n_cameras <= ENOUGH:
        return _with_kinds_of_lens(found, lens, kind)
    problem, start = part_around(before, lens)
    alone = solve(problem, start, shape_sigma=shape_sigma_of(problem.board), warm=True)
    measure = replace(found.measure, keep=alone.keep)
    part = Comparison((alone,), measure, np.array([log_probability(alone, measure)]))
    part = _with_kinds_of_lens(part, 0, kind)
    likely = int(np.argmax(part.log_probabilities[1:])) + 1 if len(part.solutions) > 1 else 0
    if part.log_probabilities[likely] > part.log_probabilities[0] + _PROBABLE and likely:
        asked = {lens: part.solutions[likely].kinds[0]}
        return found.with_another(_with_kinds(before.problem, resolved(before), asked))
    return found


def _with_kinds_of_lens(found: Comparison, lens: int, kind: LensKind) -> Comparison:
    """As `_with_one_lens`, all kinds tried in the whole rig.

    A fisheye must be more probable than the lens as a pinhole without the terms that the corners do not ask for, too:
    otherwise it wins by having fewer that are determined.
    """
    before, least = found.best, float(found.log_probabilities.max())
    tried = found.with_another(_with_kinds(before.problem, resolved(before), {lens: kind}))
    gain = tried.log_probabilities[-1] - least
    if kind == "fisheye" and not 0 < gain < _NEAR:
        return tried if gain > 0 else found
    if not gain > -_NEAR:
        return tried
    for other in (*SIMPLEST, *CANDIDATES):
        if other not in (kind, before.kinds[lens], "fisheye"):
            tried = tried.with_another(_with_kinds(before.problem, resolved(before), {lens: other}))
    return tried


def _with_kinds(problem: Problem, start: Start, asked: Mapping[int, LensKind]) -> Solution:
    """The rig and the board's shape with other kinds of some lenses; a fisheye starts from its own first fit."""
    lens, kinds, warm = start.lens.copy(), list(start.kinds), True
    for index, kind in asked.items():
        if (kinds[index] == "fisheye") != (kind == "fisheye"):
            corners = np.concatenate(problem.corners[problem.lens_of == index])
            lens[index] = initial_lens(corners, problem.points, problem.lens_size(index), kind)[0]
            warm = False
        kinds[index] = kind
    start = replace(start, lens=lens, kinds=tuple(kinds))
    return solve(problem, start, shape_sigma=shape_sigma_of(problem.board), warm=warm)


def compared_frames(problem: Problem, start: Start) -> Start:
    """Some `_MAX_VIEWS` frames, those that cameras see most differently, and more for cameras that see few of them."""
    if len(start.frames) <= _MAX_VIEWS:
        return start
    seen = np.asarray(np.isfinite(problem.corners[..., 0]).any(axis=-1))
    chosen, each = np.zeros(seen.shape[1], bool), max(_MAX_VIEWS // problem.n_cameras, 8)
    for c in range(problem.n_cameras):
        if chosen.sum() < _MAX_VIEWS or (chosen & seen[c]).sum() < each:
            chosen[spread_frames(problem.corners[c], each)] = True
    return frames_of(start, chosen[start.frames])
