"""Several views in one camera: crops of its image, and what it sees in a plane mirror."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from ..datasets import DatasetError, check_views
from ..numerics.arrays import Array
from .camera import Camera


@dataclass(frozen=True)
class Region:
    """A rectangle of a camera's image that serves as a view.

    Parameters
    ----------
    name : of the view
    corner : (x, y) pixel of the image that becomes the region's first pixel
    size : (width, height), pixels
    flipped : its image is mirrored left to right, so that a detector sees the animal the right way round
    """

    name: str
    corner: tuple[int, int]
    size: tuple[int, int]
    flipped: bool = False

    def __post_init__(self):
        if min(self.size) <= 0:
            raise ValueError(f"region '{self.name}' has size {self.size}; width and height must be positive pixels")

    def to_region(self, points_2d: Array) -> Array:
        """(..., 2) pixels of the whole image -> pixels of the region; NaN outside of it."""
        local = np.asarray(points_2d, dtype=float) - self.corner
        inside = np.all((local >= -0.5) & (local < np.array(self.size) - 0.5), axis=-1, keepdims=True)
        return np.where(inside, self._flip(local), np.nan)

    def to_image(self, points_2d: Array) -> Array:
        """(..., 2) pixels of the region -> pixels of the whole image."""
        return self._flip(np.asarray(points_2d, dtype=float)) + self.corner

    def _flip(self, local: Array) -> Array:
        if not self.flipped:
            return local
        return np.stack([self.size[0] - 1 - local[..., 0], local[..., 1]], axis=-1)


def region_camera(camera: Camera, region: Region) -> Camera:
    """The camera whose image is this region of `camera`'s: same place and lens, other pixels.

    Raises
    ------
    ValueError : the region reaches beyond the image
    """
    corner, size = np.array(region.corner), np.array(region.size)
    if (corner < 0).any() or (corner + size > camera.size).any():
        raise ValueError(
            f"region '{region.name}' ({size[0]} x {size[1]} at {region.corner}) reaches beyond the image of camera"
            f" '{camera.name}' ({camera.size[0]} x {camera.size[1]})"
        )
    K = camera.K.copy()
    K[:2, 2] -= corner
    if region.flipped:
        K[0, :2] *= -1
        K[0, 2] = size[0] - 1 - K[0, 2]
    return replace(camera, name=region.name, size=(int(size[0]), int(size[1])), K=K)


def mirror_camera(camera: Camera, normal: Sequence[float] | Array, distance: float, name: str) -> Camera:
    """The camera that sees directly what `camera` sees in the plane mirror normal · x = distance.

    It stands behind the mirror, and its image is the mirrored one: K[0, 0] changes sign, and with it the lens terms
    that are odd in x (p2, s1, s2, tau_y). Pixels stay those of the camera's image.

    Parameters
    ----------
    normal : (3,) of the mirror, world; any length but zero
    distance : of the mirror from the world's origin along the unit normal, world units
    """
    unit = np.asarray(normal, dtype=float)
    length = np.linalg.norm(unit)
    if unit.shape != (3,) or not length > 0:
        raise ValueError(f"the mirror's normal must be three numbers, not all zero; got {normal}")
    unit = unit / length
    reflection = np.eye(3) - 2 * np.outer(unit, unit)
    flip = np.diag([-1.0, 1.0, 1.0])
    K, distortion = camera.K.copy(), camera.distortion.copy()
    K[0, 0] *= -1
    if camera.model == "pinhole":
        odd = [i for i in (3, 8, 9, 13) if i < len(distortion)]
        distortion[odd] *= -1
    return replace(
        camera,
        name=name,
        K=K,
        distortion=distortion,
        R=flip @ camera.R @ reflection,
        t=flip @ (camera.R @ (2 * distance * unit) + camera.t),
    )


def split_views(views: xr.Dataset, camera: str, parts: Mapping[str, Mapping[str, str]]) -> xr.Dataset:
    """One camera's keypoints as several views of fewer keypoints, as recorded with a mirror in the image.

    Parameters
    ----------
    views : dataset in which `camera` shows, say, the keypoints "paw_top" and "paw_bottom"
    parts : {name of the new view: {keypoint: its name in `camera`}}, such as
        {"top": {"paw": "paw_top"}, "bottom": {"paw": "paw_bottom"}}; a keypoint that a view lacks is missing there

    Returns
    -------
    views with the new ones in place of `camera`; pixels as they were. Other cameras keep the keypoints named in `parts`

    Raises
    ------
    DatasetError : the camera or a keypoint does not exist
    """
    views = check_views(views)
    names = [str(name) for name in views["view"].values]
    if camera not in names:
        raise DatasetError(f"there is no camera '{camera}' in the views; they are {names}")
    keypoints = list(dict.fromkeys(keypoint for part in parts.values() for keypoint in part))
    known = [str(name) for name in views["keypoint"].values]
    unknown = sorted({source for part in parts.values() for source in part.values()} - set(known))
    if unknown:
        raise DatasetError(f"camera '{camera}' has no keypoints {unknown}; it has {known}")
    pieces = [_part(views.sel(view=camera), part, name, keypoints) for name, part in parts.items()]
    others = [name for name in names if name != camera]
    if others:
        shared = [keypoint for keypoint in keypoints if keypoint in known]
        pieces.append(views.sel(view=others, keypoint=shared).reindex(keypoint=keypoints))
    joined = xr.concat(pieces, dim="view", join="outer", data_vars="all", coords="different", compat="equals")
    joined["confidence"] = joined["confidence"].fillna(0.0)
    return check_views(joined.sel(keypoint=keypoints).assign_attrs(views.attrs))


def _part(view: xr.Dataset, part: Mapping[str, str], name: str, keypoints: list[str]) -> xr.Dataset:
    piece = view.drop_vars("view").sel(keypoint=list(part.values())).assign_coords(keypoint=list(part))
    return piece.reindex(keypoint=keypoints).expand_dims(view=[name])
