"""The summary, the player, the pictures, the body and the provenance of the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress

import numpy as np
import pandas as pd
import xarray as xr

from ...datasets import DatasetError, Skeleton, fps_of
from ...datasets.individuals import each_individual, individual_names
from .. import quality
from ..markup import (
    Markup,
    Section,
    bullets,
    definitions,
    element,
    embedded_json,
    escape,
    frame_table,
    number,
    percent,
    read_asset,
    section,
    table,
)
from ..pictures.stills import still_scene
from ..player import player_scene, rig_scene
from ..session_results import SessionResults
from ..stick_figure_row import stick_figures
from ..verdict import judge
from ..warning_ranking import N_SHOWN, SizedWarning, ranked_warnings

# attributes of a pose that the summary and the section on quality show
_SHOWN_ELSEWHERE = (
    "warnings", "rig_warnings", "left_out_cameras", "left_out", "left_out_failed", "coverage", "coverage_words",
    "coverage_warning", "coverage_failed", "bone_lengths", "undetermined_angles", "prior_share"
)  # fmt: skip


def summary_section(summary: Mapping[str, object], results: SessionResults, has_images: bool) -> Section | None:
    """Whether it is good, what is wrong and what to do; key figures, warnings, and the caller's summary.

    has_images : the report shows pictures, which the sentences may point to
    """
    views, pose, errors = results.views, results.pose, results.reprojection_errors
    tiles = _key_figures(results.rig, views, pose, errors)
    found = ranked_warnings(results.calibration_report, pose, views, results.kinematics)
    warnings = _warnings(found, pose)
    text = {str(label): value if isinstance(value, Markup) else number(value) for label, value in summary.items()}
    if not tiles and not text and not warnings:
        return None
    return section(
        "summary",
        "Summary",
        _verdict(pose, errors, found, has_images),
        definitions(tiles, "tiles") if tiles else Markup(),
        _animals(pose),
        warnings,
        definitions(text, "two" if len(text) > 6 else None) if text else Markup(),
    )


def _key_figures(
    rig, views: xr.Dataset | None, pose: xr.Dataset | None, errors: xr.DataArray | None
) -> dict[str, object]:
    source = pose if pose is not None else views
    tiles: dict[str, object] = {}
    if rig is not None or views is not None:
        tiles["Cameras"] = len(rig) if rig is not None else views.sizes["view"]  # pyright: ignore
    if source is not None:
        n_frames = int(source.attrs.get("n_frames", source.sizes["time"]))
        tiles["Frames"] = f"{n_frames:,}"
        with suppress(DatasetError):
            fps = fps_of(source) * int(source.attrs.get("every", 1))
            tiles["Duration"] = f"{number(n_frames / fps)} s"
            tiles["Frame rate"] = f"{fps:.4g} Hz"
        tiles["Keypoints"] = source.sizes["keypoint"]
    if pose is not None:
        if pose.sizes.get("individual", 1) > 1:
            tiles["Animals"] = pose.sizes["individual"]
        present = np.isfinite(pose["position"].values).all(-1)
        tiles["Reconstructed"] = percent(float(present.mean())) if present.size else "–"
        if "confidence" in pose:
            tiles["Confidence, mean"] = number(float(np.nan_to_num(pose["confidence"].values).mean()))
        if errors is not None:
            tiles["Reprojection, median"] = f"{number(quality.quantile(errors.values, 0.5))} px"
        if "covariance" in pose:
            sd = quality.quantile(quality.point_spread(pose["covariance"].values), 0.5)
            tiles["Uncertainty, median"] = f"± {number(sd)} {pose['position'].attrs['units']}"
    return tiles


def _animals(pose: xr.Dataset | None) -> Markup:
    """Of several individuals: who they are, and which share of the points of each is there."""
    if pose is None or pose.sizes.get("individual", 1) < 2:
        return Markup()
    present = {name: np.isfinite(own["position"].values).all(-1) for name, own in each_individual(pose)}
    each = [f"{name} ({percent(float(own.mean()) if own.size else np.nan)})" for name, own in present.items()]
    words = f"{len(each)} animals, with the share of each that is reconstructed: {', '.join(each)}."
    return element("p", f"{words} The figures above are of all together.", class_="note")


def _animal_key(individuals: list[tuple[str, int]]) -> Markup:
    """The colour and the name of each individual."""
    keys = [element("span", class_=f"key animal-{colour}") + escape(name) for name, colour in individuals]
    return Markup(" ".join(keys))


def _verdict(
    pose: xr.Dataset | None, errors: xr.DataArray | None, found: list[SizedWarning], has_images: bool
) -> Markup:
    """Three sentences."""
    if pose is None:
        return Markup()
    judged = judge(pose, errors, found, has_images)
    questions = {"Is it good?": judged.judgement, "What is wrong?": judged.wrong, "What to do?": judged.remedy}
    return definitions(questions, f"verdict {judged.grade}")


def _warnings(found: list[SizedWarning], pose: xr.Dataset | None) -> Markup:
    """The worst warnings, and the others in a folded table."""
    if not found:
        return Markup()
    shown = bullets([warning.message for warning in found[:N_SHOWN]], "warnings")
    rest = found[N_SHOWN:]
    if not rest:
        return shown
    unit = "world unit" if pose is None else pose["position"].attrs["units"]
    rows = [tuple(warning) for warning in rest]
    heading = element("summary", f"{len(rest)} more warning{'s' if len(rest) > 1 else ''}")
    folded = element("div", table(["", f"off, {unit}", "off, px", "warning"], rows), class_="prose")
    return Markup(shown + element("details", heading, folded))


def body_section(pose: xr.Dataset | None) -> Section | None:
    """Bone lengths of the body that was fitted, what was taken of a trained prior of its movement, and the angles that
    the pixels do not determine."""
    if pose is None or "bone_lengths" not in pose.attrs:
        return None
    unit = pose["position"].attrs["units"]
    lengths = json.loads(str(pose.attrs["bone_lengths"]))
    rows = [(name, length, std, percent(std / length)) for name, (length, std) in lengths.items()]
    unknown = json.loads(str(pose.attrs.get("undetermined_angles", "[]")))
    note = f"The body '{pose.attrs['body']}', fitted to the pixels of all cameras at once."
    if "prior" in json.loads(str(pose.attrs.get("options", "{}"))):
        taken = [_of_prior(share) for share in np.atleast_1d(pose.attrs["prior_share"])]
        names = [f"{name}: " for name in individual_names(pose)] or [""]
        note += f" Of the trained prior of movement: {'; '.join(map(''.join, zip(names, taken, strict=True)))}."
    if unknown:
        note += f" What is seen does not determine {', '.join(unknown)}: their bands are what the limits leave."
    heading = ("bone", f"length, {unit}", f"sd, {unit}", "sd")
    return section("body", "Body", element("p", note, class_="note"), table(heading, rows, "Bone lengths"))


def _of_prior(share: float) -> str:
    """What the pixels chose, see `BodyFit.prior_share`."""
    if np.isnan(share):
        return "nothing was taken, the pixels are likelier without it"
    return "which joints move together was taken" if share else "only how much each joint moves was taken"


def truth_section(errors: pd.DataFrame | None) -> Section | None:
    """The table of errors against a known truth."""
    if errors is None or not len(errors):
        return None
    note = element("p", "Every stage compared with the truth from which the recording was made.")
    shown = errors.copy()
    if {"value", "goal"} <= set(shown.columns):
        known = np.isfinite(shown[["value", "goal"]].to_numpy(float)).all(axis=1)
        if known.any():
            shown["reached"] = np.where(known, np.where(shown["value"] <= shown["goal"], "yes", "no"), "")
        else:
            shown = shown.drop(columns="goal")
    return section("truth", "Error against the truth", note, frame_table(shown))


def player_section(pose: xr.Dataset | None, skeleton: Skeleton | None, rig) -> Section | None:
    """The 3D player with its data; of the cameras alone where there is no reconstruction."""
    if pose is None and rig is None:
        return None
    heading = "Skeleton in 3D" if pose is not None else "Cameras in 3D"
    scene = rig_scene(rig) if pose is None else player_scene(pose, skeleton, rig)
    remarks = " ".join(_scene_notes(scene))
    animals = scene["individuals"]
    words = [_animal_key(animals), Markup("<br>"), remarks] if animals else [remarks]
    note = element("p", *words, class_="note") if animals or remarks else ""
    figures = stick_figures(pose, skeleton, rig.up) if pose is not None and rig is not None else None
    player = Markup(read_asset("player.html"))
    return section("skeleton", heading, player, note, embedded_json("scene", scene), figures or "")


def _scene_notes(scene: dict) -> list[str]:
    notes = []
    if any(scene["sides"]):
        where = "With the colour of sides, blue" if scene["individuals"] else "Blue"
        notes.append(f"{where} is left, orange is right, as the skeleton's symmetries name them.")
    if "cameras_seen" in scene:
        notes.append("A hollow point was observed by fewer than two cameras: it is inferred.")
    if scene["stride"] > 1:
        shown = f"{scene['n_shown']:,} of {scene['n_frames']:,}"
        notes.append(f"To keep this file small the player shows one of every {scene['stride']} frames ({shown}).")
        if scene["stride"] > scene["every"]:
            window = "all" if scene["every"] == 1 else f"one of every {scene['every']}"
            notes.append(f"Window, in the bar of time, shows {window} of some seconds.")
        if scene["every"] > 1:
            notes.append("The files that Provenance names hold every frame.")
    if scene.get("spread_stride", 1) > 1:
        notes.append(f"The 95 % regions are those of one of every {scene['spread_stride']} shown frames.")
    if not scene["vertical_known"]:
        notes.append("The rig does not state the vertical: the floor is a guess, for the eye only.")
    return notes


def stills_section(results: SessionResults, videos: dict) -> Section | None:
    """Pictures of every camera along the recording, with detections and reprojections, for the script to draw."""
    if results.views is None:
        return None
    scene = still_scene(
        results.views, videos, pose=results.pose, rig=results.rig, errors=results.reprojection_errors,
        skeleton=results.skeleton,
    )  # fmt: skip
    if scene is None:
        return None
    grid = element("div", id="stills-grid", class_="instant")
    animals = scene["individuals"]
    key = element("p", "Bones: ", _animal_key(animals), class_="note") if animals and scene["bones"] else ""
    return section(
        "images", "In the images", Markup(read_asset("stills.html")), key, grid, embedded_json("stills", scene)
    )


def provenance_section(files: Mapping[str, str], **datasets: xr.Dataset | None) -> Section | None:
    """The files of the whole data, and how each dataset was made: version, step, options, input hashes.

    As its attributes say, without those that other sections show. files : {address beside the page: what it holds}
    """
    blocks = []
    if files:
        note = element("p", "The page shows a part of the data; the whole lies in these files.", class_="note")
        links = {name: Markup(element("a", name, href=name) + " " + escape(words)) for name, words in files.items()}
        blocks += [element("h3", "Data"), note, bullets(links.values())]
    for name, dataset in datasets.items():
        if dataset is None or not dataset.attrs:
            continue
        pairs = {
            str(key).replace("_", " "): _attribute(value)
            for key, value in sorted(dataset.attrs.items(), key=_rank)
            if key not in _SHOWN_ELSEWHERE
        }
        blocks += [element("h3", name), definitions(pairs)]
    return section("provenance", "Provenance", *blocks) if blocks else None


def _rank(item: tuple) -> tuple[int, str]:
    """The step and its options first, the inputs' hashes last."""
    known = {"step": 0, "muybridge_version": 1, "options": 2, "inputs": 9}
    return known.get(str(item[0]), 5), str(item[0])


def _attribute(value: object) -> object:
    """An attribute as text; JSON objects become a line per entry."""
    if isinstance(value, str) and value.startswith("{"):
        with suppress(ValueError):
            entries = json.loads(value).items()
            lines = [element("div", element("code", f"{key} = {json.dumps(one)}")) for key, one in entries]
            return Markup("".join(lines)) if lines else "none"
    return number(value) if np.isscalar(value) else str(value)
