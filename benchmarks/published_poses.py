"""The published posterior of poses (GIMBAL; Zhang et al. 2021) on the rat's 50 frames, with its own trained parameters.

    python benchmarks/published_poses.py

The model as published: a Gaussian random walk of every keypoint, bones of Gaussian length along directions of pose
states (von Mises-Fisher, each frame's heading unknown), detections in error by an inlier's or an outlier's Gaussian
about the projection. States, directions and outliers are summed out, positions and headings drawn by Hamiltonian Monte
Carlo (jax, the extra `body`), two chains: from `infer_poses` and from `smooth`. Their mean is the best that the model
can say of these frames. 2 minutes.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from real import show
from real_recordings import DATA, rat

from muybridge.triangulate import infer_poses, smooth

jax.config.update("jax_enable_x64", True)

_DRAWS, _LEAPS = 800, 30  # of a chain; the first half is dropped
_SCALES = 2.0, 0.1  # of a leap: mm of positions, radians of headings
_ACCEPTED = 0.75  # share of proposals


class Published:
    """The published model of the recording `rat()`; points (n_frames, n_keypoints, 3), headings (n_frames,)."""

    def __init__(self, recording):
        trained, recorded = (np.load(DATA / "rat_mocap" / f"{name}.npz") for name in ("trained_prior", "recording"))
        parents = recording.skeleton.parents
        self.children = np.flatnonzero(parents >= 0)
        self.parents = parents[self.children]
        names, bones = recording.skeleton.keypoints, list(recording.skeleton.bones)
        order = [bones.index((names[p], names[k])) for k, p in zip(self.children, self.parents, strict=True)]
        self.lengths, self.stds = (trained[name][order].astype(float) for name in ("bone_lengths", "bone_stds"))
        self.directions = trained["directions"][:, self.children].astype(float)
        self.concentrations = np.maximum(trained["concentrations"][:, self.children].astype(float), 1e-6)
        probabilities = trained["state_probabilities"].astype(float)
        self.log_probabilities = np.log(probabilities / probabilities.sum() + 1e-12)
        self.points_2d = np.nan_to_num(recorded["points_2d"])
        self.seen = np.isfinite(recorded["points_2d"]).all(axis=-1)
        self.matrices, self.steps = recorded["camera_matrices"], trained["step_std"].astype(float)
        self.outlying, self.inlier, self.outlier = (
            trained[name].astype(float)[:, None] for name in ("outlier_probability", "inlier_std", "outlier_std")
        )

    def log_density(self, points, headings, pulls: bool):
        """`pulls`: an outlier lies about the projection, as published, instead of anywhere within as large an area."""
        walk = -(((points[1:] - points[:-1]) ** 2).sum(axis=-1) / 2 / self.steps**2).sum()
        return walk + self._detections(points, pulls) + self._poses(points, headings)

    def _detections(self, points, pulls: bool):
        homogeneous = jnp.concatenate([points, jnp.ones((*points.shape[:2], 1))], axis=-1)
        projected = jnp.einsum("cij,tkj->ctki", self.matrices, homogeneous)
        squares = ((projected[..., :2] / projected[..., 2:] - self.points_2d) ** 2).sum(axis=-1)
        right = jnp.log1p(-self.outlying) - squares / 2 / self.inlier**2 - 2 * jnp.log(self.inlier)
        wrong = jnp.log(self.outlying) - pulls * squares / 2 / self.outlier**2 - 2 * jnp.log(self.outlier)
        return jnp.where(self.seen, jnp.logaddexp(right, wrong), 0.0).sum()

    def _poses(self, points, headings):
        bones = points[:, self.children] - points[:, self.parents]
        length = jnp.sqrt((bones**2).sum(axis=-1) + 1e-9)
        cos, sin = jnp.cos(headings)[:, None], jnp.sin(headings)[:, None]
        x, y, z = jnp.moveaxis(bones, -1, 0)
        turned = jnp.stack([cos * x + sin * y, cos * y - sin * x, z], axis=-1)
        natural = (
            self.concentrations[..., None] * self.directions + (self.lengths / self.stds**2)[:, None] * turned[:, None]
        )
        strength = jnp.sqrt((natural**2).sum(axis=-1) + 1e-9)
        off = (length**2 + self.lengths**2) / 2 / self.stds**2
        per_state = (_log_sphere(strength) - _log_sphere(self.concentrations)).sum(axis=-1) - off.sum(axis=-1)[:, None]
        return jax.scipy.special.logsumexp(per_state + self.log_probabilities, axis=1).sum()


def _log_sphere(strength):
    """Logarithm of sinh(strength) / strength, up to a constant: the integral of exp(strength cos) over directions."""
    return strength + jnp.log1p(-jnp.exp(-2 * strength)) - jnp.log(strength)


def mean_of_chain(log_density, start: tuple, seed: int) -> np.ndarray:
    """Mean of the positions of a Hamiltonian chain whose step length is adapted and which is heated at first."""
    gradient = jax.value_and_grad(lambda q: log_density(*q))

    def moved(q, p, slope, step, heat):
        p = [a + step / 2 * heat * b for a, b in zip(p, slope, strict=True)]
        q = tuple(a + step * scale**2 * b for a, b, scale in zip(q, p, _SCALES, strict=True))
        slope = gradient(q)[1]
        return q, [a + step / 2 * heat * b for a, b in zip(p, slope, strict=True)], slope

    @jax.jit
    def draw(q, key, step, heat):
        keys = jax.random.split(key, 3)
        p = [jax.random.normal(k, x.shape) / scale for k, x, scale in zip(keys, q, _SCALES, strict=False)]
        value, slope = gradient(q)
        state = jax.lax.fori_loop(0, _LEAPS, lambda _, s: moved(*s, step, heat), (q, p, slope))
        kinetic = [sum(((a * s) ** 2).sum() / 2 for a, s in zip(x, _SCALES, strict=True)) for x in (p, state[1])]
        accept = jnp.exp(jnp.minimum(0.0, heat * (gradient(state[0])[0] - value) + kinetic[0] - kinetic[1]))
        taken = jax.random.uniform(keys[2]) < accept
        return jax.tree.map(lambda new, old: jnp.where(taken, new, old), state[0], q), accept

    key, step, q, kept = jax.random.PRNGKey(seed), 0.02, tuple(map(jnp.asarray, start)), []
    for i in range(_DRAWS):
        key, own = jax.random.split(key)
        q, accepted = draw(q, own, step, min(1.0, 0.3 + 2.8 * i / _DRAWS))
        step *= np.exp(0.05 * (np.nan_to_num(float(accepted)) - _ACCEPTED))
        if i >= _DRAWS // 2:
            kept.append(np.asarray(q[0]))
    return np.mean(kept, axis=0)


def main() -> None:
    recording, rows = rat(), {}
    parts, options = (recording.points_2d, recording.rig), {"fps": recording.fps, "skeleton": recording.skeleton}
    found = infer_poses(*parts, **options, prior=recording.prior, noise=recording.noise)
    starts = {"infer_poses": found.points_3d, "smooth": smooth(*parts, **options).points_3d}
    results = {f"ours: {name}": points for name, points in starts.items()}
    model = Published(recording)
    for seed, (name, points) in enumerate(starts.items()):
        for pulls in (True, False):
            what = "as published" if pulls else "outliers anywhere in their area"
            density = partial(model.log_density, pulls=pulls)
            results[f"{what}, from {name}"] = mean_of_chain(density, (points, found.headings), seed)
    for name, points in results.items():
        error = np.linalg.norm(points - recording.truth, axis=-1)
        error = error[np.isfinite(error)]
        rows[name] = {"mean": error.mean(), "median": np.median(error), "p95": np.quantile(error, 0.95)}
    show("rat, 50 frames, trained prior and noise (mm)", rows)


if __name__ == "__main__":
    main()
