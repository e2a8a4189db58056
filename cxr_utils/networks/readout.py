"""What a head reads: the averages of some layers' maps over grids of fields, side by side.

A middle layer says what a place looks like, the last one what the network learned to call it. Averaged over a grid and
not over the whole image, a head also sees where ("spatial pyramid pooling"; He et al., ECCV 2014).
"""

import difflib
from typing import TYPE_CHECKING, Any

from cxr_utils.errors import RecipeError
from cxr_utils.networks.backend import load_keras

if TYPE_CHECKING:
    import keras

#: Pairs of a layer's name and the number of fields along a side of its map.
Readout = tuple[tuple[str, int], ...]


def averages(model: "keras.Model", readout: Readout) -> Any:
    """The averages of each layer's maps over its grid of fields, one layer after the other.

    Where the fields do not divide a map, they are larger and overlap, so that every place is read.

    Args:
        model: from images to maps.
        readout: which layers, and how many fields along a side; "image" is the image itself.

    Returns:
        A Keras tensor (batch, sum over the layers of fields * fields * channels).

    Raises:
        RecipeError: there is no such layer, or its map has fewer places than fields.

    Example:
        >>> keras = load_keras()
        >>> image = keras.Input((8, 8, 1), name="image")
        >>> maps = keras.layers.Conv2D(5, 3, name="maps")(image)  # 6 x 6 places
        >>> averages(keras.Model(image, maps), (("maps", 3), ("image", 2))).shape  # 5 * 9 + 1 * 4
        (None, 49)
    """
    flat = [_averaged(_maps(model, layer, fields), layer, fields) for layer, fields in readout]
    return load_keras().layers.Concatenate(name="readout")(flat) if len(flat) > 1 else flat[0]


def layer_name(layer: str, fields: int) -> str:
    """Of the layer in a network that puts out the averages of a pair of a readout.

    Args:
        layer: whose maps are averaged.
        fields: along a side.

    Example:
        >>> layer_name("stage5", 3)
        'stage5_3x3'
    """
    return f"{layer}_{fields}x{fields}"


def _maps(model: "keras.Model", layer: str, fields: int) -> Any:
    outputs = {one.name: one.output for one in model.layers}
    if layer not in outputs:
        like = ", ".join(difflib.get_close_matches(layer, outputs, 5, 0))
        raise RecipeError(
            f"The readout names a layer {layer!r}. Expected one of the {len(outputs)} that the network has, such as "
            f"{like}. Correct the name."
        )
    side = outputs[layer].shape[1]
    if fields > side:
        raise RecipeError(
            f"The readout divides {layer!r} into {fields} x {fields} fields, but its map has {side} x {side} places. "
            f"Expected at most {side} along a side. Take fewer fields, or larger images."
        )
    return outputs[layer]


def _averaged(maps: Any, layer: str, fields: int) -> Any:
    layers, side = load_keras().layers, maps.shape[1]
    stride = side // fields
    window = side - stride * (fields - 1)
    averaged = layers.AveragePooling2D(window, stride, name=f"{layer_name(layer, fields)}_average")(maps)
    return layers.Flatten(name=layer_name(layer, fields))(averaged)
