"""EfficientNet-Lite0, the network that brings what photographs teach to a machine without internet.

EfficientNet-B0 (Tan and Le 2019) without squeeze and excitation and with ReLU6, which its authors published in 2020
for telephones: 3.4 million weights, and a seventh of the work of DenseNet121.
"""

from typing import TYPE_CHECKING, Any

from cxr_utils.networks.backend import load_keras
from cxr_utils.networks.models import on_grey
from cxr_utils.networks.readout import Readout

if TYPE_CHECKING:
    import keras

#: One row a stage: blocks, width of the depthwise kernel, stride of the first block, expansion, channels.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
#: The network learned from photographs as (x - 127) / 128, whose standard deviation is about a half. Ours is 1.
INPUT_SCALE = 0.5


def efficientnet_lite0(
    size: int, outputs: int, weights: str | None = None, dropout: float = 0.0, readout: Readout = ()
) -> "keras.Model":
    """EfficientNet-Lite0 without its top: average of each map, dropout, logits.

    Args:
        size: side of the image in pixels; at least 32. The weights of photographs were learned at 224.
        outputs: number of findings.
        weights: None (to be trained), "imagenet" (photographs; installed with the course), "simulated", "random" or
            a path, as `weights.load` takes them. The logits are never loaded: they start at zero.
        dropout: fraction of the averaged features left out at each training step.
        readout: what the head reads instead of the last maps' averages; see `readout.averages`.

    Returns:
        A network from images (batch, size, size, 1) to logits (batch, outputs). Its layers "stage1" to "stage7" put
        out the maps of each stage.

    Raises:
        RecipeError: the image is too small, the weights are not at hand or another network's, or the readout does not
            fit the network.

    Example:
        >>> model = efficientnet_lite0(64, 14)
        >>> model.get_layer("stage5").output.shape, model.get_layer("head_relu").output.shape
        ((None, 4, 4, 112), (None, 2, 2, 1280))
    """

    def scaled(rgb: Any) -> Any:
        return body(load_keras().layers.Rescaling(INPUT_SCALE, name="to_photographs_range")(rgb))

    return on_grey("efficientnet_lite0", scaled, size, outputs, weights, dropout, readout)


def body(rgb: Any) -> Any:
    """The convolutions of EfficientNet-Lite0.

    Args:
        rgb: colour pictures (batch, height, width, 3), as a Keras tensor; photographs as (x - 127) / 128.

    Returns:
        Maps (batch, height / 32, width / 32, 1280), rounded up.
    """
    layers = load_keras().layers
    x = layers.Conv2D(32, 3, 2, padding="same", use_bias=False, name="stem_conv")(rgb)
    x = _norm(x, "stem", relu=True)
    for stage, (blocks, width, stride, expansion, channels) in enumerate(STAGES, start=1):
        for block in range(1, blocks + 1):
            x = _block(x, f"block{stage}_{block}", width, stride if block == 1 else 1, expansion, channels)
        x = layers.Activation("linear", name=f"stage{stage}")(x)
    x = layers.Conv2D(1280, 1, use_bias=False, name="head_conv")(x)
    return _norm(x, "head", relu=True)


def _block(x: Any, name: str, width: int, stride: int, expansion: int, channels: int) -> Any:
    """Widen to many channels, look around in each by itself, and sum up in few; what came in is added where it fits."""
    layers, came_in = load_keras().layers, x
    if expansion > 1:
        x = layers.Conv2D(expansion * x.shape[-1], 1, use_bias=False, name=f"{name}_expand_conv")(x)
        x = _norm(x, f"{name}_expand", relu=True)
    x = layers.DepthwiseConv2D(width, stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv")(x)
    x = _norm(x, f"{name}_depthwise", relu=True)
    x = _norm(layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project_conv")(x), f"{name}_project", relu=False)
    return layers.Add(name=f"{name}_add")([x, came_in]) if x.shape == came_in.shape else x


def _norm(x: Any, name: str, relu: bool) -> Any:
    layers = load_keras().layers
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_norm")(x)
    return layers.Activation("relu6", name=f"{name}_relu")(x) if relu else x
