"""What a trained prior of movement gains where cameras are few and bad.

    python examples/movement_prior.py [picture]

Simulates the motion capture of ten cheetahs, learns from it which joints move together, and fits another cheetah that
three cameras see for 0.4 seconds, without the prior and with it. The picture has what was learned and some angles. With
recordings of your own, give `MovementPrior.fit` points in 3D, poses, or results of `fit_body`.
"""

import sys

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from articulated_animal import FPS, SWINGS, cameras, gallop, seen

from muybridge.triangulate import MovementPrior, fit_body, read_body

SHOWN = ("l_thigh_swing", "l_shank_bend", "r_upper_arm_swing", "chest_pitch")


def draw_prior(prior, ax):
    """Correlations of the turns that swing, and which pairs they are of."""
    rows = [prior.turns.index(name) for name in SWINGS]
    stds = np.sqrt(np.diag(prior.covariance))
    image = ax.imshow((prior.covariance / np.outer(stds, stds))[np.ix_(rows, rows)], cmap="RdBu_r", vmin=-1, vmax=1)
    ax.set_xticks(range(len(rows)), list(SWINGS), rotation=90, fontsize=8)
    ax.set_yticks(range(len(rows)), list(SWINGS), fontsize=8)
    ax.set_title("learned: correlations of angular velocities", fontsize=10)
    ax.figure.colorbar(image, ax=ax, shrink=0.7)


def draw_angles(fits, truth, axes):
    times = np.arange(len(truth)) / FPS
    for name, ax in zip(SHOWN, axes, strict=True):
        for (label, fit), color in zip(fits.items(), ("#c8553d", "#1b6ca8"), strict=True):
            i = fit.body.angle_names.index(name)
            angle, std = np.degrees(fit.angles[:, i]), np.degrees(fit.angles_std[:, i])
            ax.fill_between(times, angle - 1.96 * std, angle + 1.96 * std, alpha=0.2, color=color, lw=0)
            ax.plot(times, angle, color=color, label=f"{label}, with 95 % band")
        ax.plot(times, np.degrees(truth[:, i]), "k--", lw=1, label="true")
        ax.set_title(name, fontsize=10)
        ax.set_xlabel("seconds")
        ax.set_ylabel("degrees")


def main(picture="movement_prior.png"):
    body, rig = read_body("cheetah"), cameras().subset(["cam_0", "cam_3", "cam_4"])
    rng = np.random.default_rng(0)
    captured = [body.markers(gallop(body, 60, seed)) + rng.normal(0, 2, (60, 24, 3)) for seed in range(1, 11)]
    prior = MovementPrior.fit(captured, body, fps=FPS)
    truth = gallop(body, 40, seed=0)
    points_2d = seen(truth, body, rig, rng)
    fits = {
        "without the prior": fit_body(points_2d, rig, fps=FPS, body=body),
        "with it": fit_body(points_2d, rig, fps=FPS, body=body, prior=prior),
    }
    for label, fit in fits.items():
        off = np.linalg.norm(fit.points_3d - body.markers(truth), axis=-1)
        angles = np.degrees(np.sqrt(((fit.angles - truth)[:, 3:] ** 2).mean()))
        print(f"{label}: markers {np.median(off):.0f} mm (median), {np.quantile(off, 0.9):.0f} mm (90th percentile),"
              f" angles {angles:.1f} degrees; share of its correlations {fit.prior_share}")  # fmt: skip

    figure = plt.figure(figsize=(14, 6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.4))
    draw_prior(prior, left.subplots())
    axes = right.subplots(2, 2).ravel()
    draw_angles(fits, truth, axes)
    axes[0].legend(fontsize=7)
    figure.savefig(picture, dpi=90)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(*sys.argv[1:])
