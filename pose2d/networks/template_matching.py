"""Template matching: one linear filter per keypoint on the small grey image. The teaching baseline."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class TemplateMatching(nn.Module):
    """Grey patches of a down-sampled image as features, so that the 1x1 heads become one filter per keypoint.

    The logit of keypoint k at cell i is w_k . x_i + b_k, with x_i the 21x21 grey values around the cell, centred and
    scaled to unit length: a matched filter. Trained with ``loss="bce"`` each cell is a Bernoulli trial with
    log p(y_i | x) = y_i f_i - log(1 + exp f_i), the log-sum-exp form of the logistic regression.

    Images (n, 3, height, width) in, patches (n, 441, height / 4, width / 4) out.
    """

    stride, side = 4, 21
    width = side * side

    def forward(self, images: Tensor) -> Tensor:
        grey = F.avg_pool2d(images.mean(1, keepdim=True).float(), self.stride)
        n, _, rows, columns = grey.shape
        patches = F.unfold(grey, self.side, padding=self.side // 2).view(n, self.width, rows, columns)
        patches = patches - patches.mean(1, keepdim=True)
        return patches / (patches.norm(dim=1, keepdim=True) + 0.5) * 5.0
