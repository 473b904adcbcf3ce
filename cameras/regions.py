"""Several views in the image of one camera: regions of the image, and views by a plane mirror."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..numerics.arrays import Array
from .camera import Camera
from .pictures import picture_camera

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Region:
    """A rectangle of a camera's image that serves as a view.

    Parameters
    ----------
    name : str
        Name of the view.
    corner : (int, int), pixels
        (x, y) of the image's pixel that becomes the region's first one.
    size : (int, int), pixels
        Width and height.
    flipped : bool
        The region's image is mirrored left to right, so that a detector sees the animal the right way round.

    Raises
    ------
    ValueError
        Width or height is not positive.

    Examples
    --------
    >>> from muybridge.cameras import Region
    >>> bottom = Region("bottom", (0, 300), (640, 180))
    >>> bottom.to_region([[10.0, 310.0], [10.0, 20.0]])
    array([[10., 10.],
           [nan, nan]])
    >>> bottom.to_image([10.0, 10.0])
    array([ 10., 310.])
    """

    name: str
    corner: tuple[int, int]
    size: tuple[int, int]
    flipped: bool = False

    def __post_init__(self):
        if min(self.size) <= 0:
            raise ValueError(f"region '{self.name}' has size {self.size}; width and height must be positive pixels")

    def to_region(self, points_2d: Array) -> Array:
        """Pixels of the region from pixels of the whole image.

        Parameters
        ----------
        points_2d : ndarray, shape (..., 2), pixels
            Points of the whole image.

        Returns
        -------
        ndarray, shape (..., 2), pixels
            Points of the region; NaN outside of it.
        """
        local = np.asarray(points_2d, dtype=float) - self.corner
        inside = np.all((local >= -0.5) & (local < np.array(self.size) - 0.5), axis=-1, keepdims=True)
        return np.where(inside, self._flip(local), np.nan)

    def to_image(self, points_2d: Array) -> Array:
        """Pixels of the whole image from pixels of the region.

        Parameters
        ----------
        points_2d : ndarray, shape (..., 2), pixels
            Points of the region.

        Returns
        -------
        ndarray, shape (..., 2), pixels
            Points of the whole image.
        """
        return self._flip(np.asarray(points_2d, dtype=float)) + self.corner

    def _flip(self, local: Array) -> Array:
        """Mirror pixels (..., 2) of the region left to right if it is flipped."""
        if not self.flipped:
            return local
        return np.stack([self.size[0] - 1 - local[..., 0], local[..., 1]], axis=-1)


def region_camera(camera: Camera, region: Region) -> Camera:
    """The camera whose image is a region of another one's: same place and lens, other pixels.

    Parameters
    ----------
    camera : Camera
        The camera that recorded the whole image.
    region : Region
        The rectangle; its name becomes the camera's.

    Returns
    -------
    Camera
        The camera of the region; mirrored where the region is flipped.

    Raises
    ------
    ValueError
        The region reaches beyond the image.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, Region, region_camera
    >>> K = [[600, 0, 320], [0, 600, 240], [0, 0, 1]]
    >>> camera = Camera("whole", (640, 480), K, [], np.eye(3), [0, 0, 500])
    >>> region_camera(camera, Region("bottom", (0, 200), (640, 280))).project([0.0, 0, 0])
    array([320.,  40.])
    """
    corner, size = np.array(region.corner), np.array(region.size)
    if (corner < 0).any() or (corner + size > camera.size).any():
        raise ValueError(
            f"region '{region.name}' ({size[0]} x {size[1]} at {region.corner}) reaches beyond the image of camera"
            f" '{camera.name}' ({camera.size[0]} x {camera.size[1]})"
        )
    cut = picture_camera(camera, crop=(*region.corner, *region.size), mirror=region.flipped)
    return replace(cut, name=region.name)


def mirror_camera(camera: Camera, normal: Sequence[float] | Array, distance: float, name: str) -> Camera:
    """The camera that sees directly what another one sees in a plane mirror.

    It stands behind the mirror, and its image is the mirrored one: K[0, 0] changes sign, and with it the lens terms
    that are odd in x (p2, s1, s2, tau_y). Pixels stay those of the camera's image.

    Parameters
    ----------
    camera : Camera
        The camera in whose image the mirror is.
    normal : ndarray, shape (3,)
        Normal of the mirror normal · x = distance, in the world, of any length but zero.
    distance : float, world units
        Distance of the mirror from the world's origin along the unit normal.
    name : str
        Name of the new camera.

    Returns
    -------
    Camera
        The virtual camera behind the mirror.

    Raises
    ------
    ValueError
        The normal is not three numbers, or all are zero.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, mirror_camera
    >>> K = [[600, 0, 320], [0, 600, 240], [0, 0, 1]]
    >>> camera = Camera("top", (640, 480), K, [], np.eye(3), [0, 0, 500])
    >>> bottom = mirror_camera(camera, [0, 1, 0], 100.0, "bottom")
    >>> point, image = np.array([20.0, 30, 0]), np.array([20.0, 170, 0])
    >>> bool(np.allclose(bottom.project(point), camera.project(image)))
    True
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
    views : xarray.Dataset
        Views in which the camera shows, say, the keypoints "paw_top" and "paw_bottom".
    camera : str
        Name of the view to split.
    parts : dict of str to dict of str to str
        {name of the new view: {keypoint: its name in `camera`}}, such as
        {"top": {"paw": "paw_top"}, "bottom": {"paw": "paw_bottom"}}; a keypoint that a view lacks is missing there.

    Returns
    -------
    xarray.Dataset
        Views with the new ones in place of `camera`, pixels as they were; other cameras keep the keypoints named in
        `parts`.

    Raises
    ------
    DatasetError
        The camera or a keypoint does not exist.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import split_views
    >>> from muybridge.datasets import views_dataset
    >>> points_2d = np.array([[[[10.0, 20], [10, 220]]]])
    >>> views = views_dataset(points_2d, cameras=["box"], keypoints=["paw_top", "paw_bottom"], times=[0.0])
    >>> parts = {"top": {"paw": "paw_top"}, "bottom": {"paw": "paw_bottom"}}
    >>> split = split_views(views, "box", parts)
    >>> split["view"].values.tolist(), split["keypoint"].values.tolist()
    (['top', 'bottom'], ['paw'])
    """
    import xarray as xr  # 40 MB that cameras and calibration do without

    from ..datasets import DatasetError, check_views

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
    """One of the new views: its keypoints under their new names."""
    piece = view.drop_vars("view").sel(keypoint=list(part.values())).assign_coords(keypoint=list(part))
    return piece.reindex(keypoint=keypoints).expand_dims(view=[name])
