"""From pose to encoding: kinematics as regressors of a spike-count model, on neurons whose tuning is known.

    python examples/encoding.py [figure.png]

An animal runs about an arena; three simulated neurons fire with its speed, its heading and its turning rate. A Poisson
regression (scikit-learn's where it is installed, else the same maximum by scipy) on the kinematics of the *noisy* pose
finds the planted tuning again, and tells by cross-validation which quantity each neuron follows.
"""

import sys

import matplotlib as mpl
import numpy as np
from scipy.optimize import minimize

mpl.use("Agg")
import matplotlib.pyplot as plt

from muybridge.datasets import pose_dataset
from muybridge.kinematics import body_frame, velocity

FPS, SECONDS, NOISE = 60.0, 150.0, 2.0
# log spike count per frame = offset + weights · regressors; regressors are z-scored speed, cos and sin of the heading,
# and z-scored turning rate
NAMES = ("speed", "cos heading", "sin heading", "turning")
PLANTED = {
    "speed cell": (-1.2, 0.5, 0.0, 0.0, 0.0),
    "head-direction cell": (-1.2, 0.0, 0.7, 0.5, 0.0),
    "turning cell": (-1.2, 0.0, 0.0, 0.0, -0.6),
}
FAMILIES = {"speed": [0], "heading": [1, 2], "turning": [3]}


def running_animal(rng):
    """Times, true speed, heading and turning rate, and the noisy pose of tail base and nose in mm."""
    times = np.arange(round(FPS * SECONDS)) / FPS
    turning, speed = (slow_noise(rng, len(times), seconds) for seconds in (0.6, 1.0))
    turning, speed = 1.5 * turning, 200 * np.exp(0.5 * speed)
    heading = np.cumsum(turning) / FPS
    step = speed[:, None] * np.stack([np.cos(heading), np.sin(heading)], -1) / FPS
    tail = np.concatenate([np.cumsum(step, axis=0), np.full((len(times), 1), 20.0)], axis=1)
    nose = tail + 80 * np.stack([np.cos(heading), np.sin(heading), 0 * heading], -1)
    points = np.stack([tail, nose], axis=1) + NOISE * rng.standard_normal((len(times), 2, 3))
    pose = pose_dataset(points, keypoints=["tail_base", "nose"], times=times, unit="mm")
    return pose.assign_attrs(up=[0.0, 0.0, 1.0]), speed, heading, turning


def slow_noise(rng, n, seconds):
    """Gaussian noise of unit variance that changes over about `seconds`."""
    width = seconds * FPS
    kernel = np.exp(-0.5 * (np.arange(-4 * width, 4 * width + 1) / width) ** 2)
    noise = np.convolve(rng.standard_normal(n + len(kernel) - 1), kernel, mode="valid")
    return noise / noise.std()


def design(speed, heading, turning):
    """(n_frames, 4) regressors."""
    z = [(x - x.mean()) / x.std() for x in (speed, turning)]
    return np.stack([z[0], np.cos(heading), np.sin(heading), z[1]], axis=1)


def regressors_of(pose):
    """The same regressors from the pose alone, as one would from a recording."""
    body = body_frame(pose, "tail_base", "nose")
    speed = velocity(pose)["speed"].sel(keypoint="tail_base").values
    return design(speed, body["heading"].values, body["turning_rate"].values)


def fit_poisson(X, counts, penalty=1e-4):
    """Offset and weights of greatest likelihood, with a slight ridge penalty on the weights."""
    try:
        from sklearn.linear_model import PoissonRegressor
    except ImportError:  # scikit-learn is no dependency: the same objective by scipy
        return _fit_by_scipy(X, counts, penalty)
    model = PoissonRegressor(alpha=penalty, max_iter=500, tol=1e-8).fit(X, counts)
    return np.concatenate([[model.intercept_], model.coef_])


def _fit_by_scipy(X, counts, penalty):
    design_matrix = np.column_stack([np.ones(len(X)), X])
    ridge = penalty * np.concatenate([[0.0], np.ones(X.shape[1])])

    def objective(weights):
        rate = np.exp(design_matrix @ weights)
        loss = (rate - counts * (design_matrix @ weights)).mean() + 0.5 * ridge @ weights**2
        return loss, design_matrix.T @ (rate - counts) / len(counts) + ridge * weights

    return minimize(objective, np.zeros(design_matrix.shape[1]), jac=True, method="BFGS").x


def bits_per_spike(X, counts, n_folds=5):
    """Cross-validated log likelihood over a constant rate, per spike; contiguous folds, as frames are related."""
    gain = 0.0
    for fold in np.array_split(np.arange(len(counts)), n_folds):
        train = np.setdiff1d(np.arange(len(counts)), fold)
        weights = fit_poisson(X[train], counts[train])
        log_rate, mean = weights[0] + X[fold] @ weights[1:], counts[train].mean()
        gain += (counts[fold] * (log_rate - np.log(mean)) - np.exp(log_rate) + mean).sum()
    return gain / counts.sum() / np.log(2)


def main(path):
    rng = np.random.default_rng(0)
    pose, *truth = running_animal(rng)
    X_true, X = design(*truth), regressors_of(pose)
    figure, axes = plt.subplots(1, len(PLANTED), figsize=(10, 3.2), layout="constrained", sharey=True)
    worst = 0.0
    for ax, (neuron, planted) in zip(axes, PLANTED.items(), strict=True):
        counts = rng.poisson(np.exp(planted[0] + X_true @ planted[1:]))
        found = fit_poisson(X, counts)
        gains = {family: bits_per_spike(X[:, columns], counts) for family, columns in FAMILIES.items()}
        best = max(gains, key=gains.__getitem__)
        worst = max(worst, np.abs(found - planted).max())
        print(f"{neuron:>20}: planted {np.array(planted[1:])}, found {found[1:].round(2)};"
              f" follows {best} ({gains[best]:.3f} bits/spike)")  # fmt: skip
        place = np.arange(len(NAMES))
        ax.bar(place - 0.2, planted[1:], 0.4, label="planted", color="0.7")
        ax.bar(place + 0.2, found[1:], 0.4, label="found from the pose", color="C0")
        ax.set_xticks(place, NAMES, rotation=30)
        ax.set_title(neuron)
    axes[0].set_ylabel("weight (log rate)")
    axes[0].legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=120)
    print(f"largest error of a weight {worst:.3f}; figure: {path}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "encoding.png")
