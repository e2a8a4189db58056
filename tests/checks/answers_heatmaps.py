"""Answers to the exercises of lesson 06: right ones in other forms, and wrong ones with the hint that they get."""

import numpy as np
import pandas as pd

from cxr_utils.heatmaps import map_scores


def right_heat(features, gradients):
    height, width, channels = features.shape
    heat = np.zeros((height, width))
    for channel in range(channels):
        heat += gradients[..., channel].mean() * features[..., channel]
    heat[heat < 0] = 0
    return heat / max(heat.max(), 1e-30)


def centre(heat, half=0.5, square=False):
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    rows, columns = heat.shape if not square else (heat.shape[0],) * 2
    return (column + half) / columns, (row + half) / rows


def holds(start, length, place):
    return start <= place < start + length


def pointed(heat, box, place=None, small=True, ends=True, both=True, zeros=False):
    """In each direction: the place in the box, or the box's centre in the cell of the place."""
    across, down = place or centre(heat)
    x, y, width, height = box
    rows, columns = heat.shape
    found = []
    for at, start, length, cells in ((across, x, width, columns), (down, y, height, rows)):
        inside = holds(start, length, at) if ends else at >= start
        found.append(inside or small and holds(at - 0.5 / cells, 1 / cells, start + length / 2))
    return bool((all(found) if both else found[0]) and (heat.max() > 0 or zeros))


def by_package(heat, box):
    """The package's own rule, on maps that are square."""
    if heat.shape[0] != heat.shape[1]:
        return pointed(heat, box)
    mask = map_scores.box_mask(pd.DataFrame([box], columns=["x", "y", "width", "height"]), len(heat))
    return map_scores.pointing_game(heat, mask) == 1


def cells_in(heat, box):
    rows, columns = heat.shape
    places = [[((j + 0.5) / columns, (i + 0.5) / rows) for j in range(columns)] for i in range(rows)]
    return np.array([[pointed(np.ones((rows, columns)), box, place) for place in line] for line in places])


def centre_of_mass(heat, box, **rule):
    rows, columns = ((np.arange(cells) + 0.5) / cells for cells in heat.shape)
    total = max(heat.sum(), 1e-9)
    return pointed(heat, box, (heat.sum(axis=0) @ columns / total, heat.sum(axis=1) @ rows / total), **rule)


def only_one_of_two(heat, box):
    x, y, width, height = box
    return pointed(heat, box, small=False) or pointed(heat, (x + width / 2, y + height / 2, 0, 0))


def right_energy(heat, inside):
    return float((heat * inside).sum() / heat.sum()) if heat.any() else 0.0


def rectified(features, gradients):
    return np.maximum(features @ gradients.mean(axis=(0, 1)), 0)


def scaled(heat):
    return heat / heat.max() if heat.max() > 0 else heat * 0


RIGHT = {
    "class_map": {
        "tensordot": lambda f, w: np.tensordot(f, w, axes=(2, 0)),
        "einsum": lambda f, w: np.einsum("hwc,c->hw", f, w),
        "lists": lambda f, w: (f @ w).tolist(),
    },
    "heat_map": {
        "channel by channel": right_heat,
        "32 bits": lambda f, g: right_heat(f.astype(np.float32), g.astype(np.float32)).astype(np.float32),
        "largest absolute value, after ReLU": lambda f, g: rectified(f, g) / (abs(rectified(f, g)).max() or 1),
    },
    "points_into": {
        "bool": pointed,
        "numpy's bool": lambda heat, box: np.bool_(pointed(heat, box)),
        "0 or 1": lambda heat, box: float(pointed(heat, box)),
        "the package's own": by_package,
    },
    "energy_inside": {
        "float": right_energy,
        "0 / 1 mask": lambda heat, inside: right_energy(heat, inside.astype(int)),
        "where": lambda heat, inside: np.where(heat.any(), (heat * inside).sum() / heat.sum(), 0),
    },
}
HOTTEST, CORNERS = "Only the hottest cell counts.", "A cell's centre is half a cell away from its corners."
WRONG = {
    "class_map": [
        ("A weight says more", lambda f, w: f[..., w != 0].sum(axis=2)),
        ("What speaks against", lambda f, w: np.maximum(f @ w, 0)),
        ("There need not be two", lambda f, w: f[..., 0] * w[0] + f[..., 1] * w[1]),
        ("Each feature map", lambda f, w: f @ w + 1),
    ],
    "heat_map": [
        ("Average the gradients", lambda f, g: scaled(np.maximum((f * g).sum(axis=2), 0))),
        ("Divide only", lambda f, g: scaled(rectified(f, g) - rectified(f, g).min())),
        ("A map need not be square", lambda f, g: right_heat(f, g).reshape(f.shape[0], f.shape[0])),
        ("A map of zeros stays 0", lambda f, g: rectified(f, g) / rectified(f, g).max()),
        (
            "The gradients give each",
            lambda f, g: scaled(np.maximum((f * g.mean(axis=2, keepdims=True)).sum(axis=2), 0)),
        ),
        ("Go step by step", lambda f, g: scaled(f @ g.mean(axis=(0, 1))) ** 2),
        ("Sum first", lambda f, g: scaled(np.maximum(f * g.mean(axis=(0, 1)), 0).sum(axis=2))),
    ],
    "points_into": [
        (HOTTEST, lambda heat, box: bool(heat[cells_in(heat, box)].any())),
        (HOTTEST, lambda heat, box: heat[cells_in(heat, box)].mean() > heat[~cells_in(heat, box)].mean()),
        (HOTTEST, centre_of_mass),
        (HOTTEST, lambda heat, box: centre_of_mass(heat, box, small=False)),
        (CORNERS, lambda heat, box: pointed(heat, box, centre(heat, 0), small=False)),
        (CORNERS, lambda heat, box: pointed(heat, box, centre(heat, 1), small=False)),
        ("The box ends at", lambda heat, box: pointed(heat, box, ends=False)),
        ("Look from top to bottom", lambda heat, box: pointed(heat, box, both=False)),
        ("A map need not be square.", lambda heat, box: pointed(heat, box, centre(heat, square=True))),
        ("A map of zeros points", lambda heat, box: pointed(heat, box, zeros=True)),
        ("A box can be too small", lambda heat, box: pointed(heat, box, small=False)),
        ("This box is low and wide", only_one_of_two),
        ("`x` runs across", lambda heat, box: pointed(heat, box, centre(heat)[::-1], small=False)),
        ("Compare the centre", lambda heat, box: pointed(heat, box, (9, 9), small=False)),
        ("Compare the centre", lambda heat, box: bool(heat.any())),
        ("Compare the centre", lambda heat, box: pointed(heat, (box[0] - box[2] / 2, box[1] - box[3] / 2, *box[2:]))),
        ("Compare the centre", lambda heat, box: "yes"),
    ],
    "energy_inside": [
        ("Take the heat as it is", lambda heat, inside: right_energy(heat - heat.min(), inside)),
        (
            "There may be no cell inside",
            lambda heat, inside: heat[inside].mean() * inside.sum() / heat.sum() if heat.any() else 0.0,
        ),
        ("A map of zeros has", lambda heat, inside: heat[inside].sum() / heat.sum()),
        ("How much heat", lambda heat, inside: (heat * inside).mean()),
        ("How much heat", lambda heat, inside: heat[inside].sum() / inside.sum() / 2),
    ],
}
