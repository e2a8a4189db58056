"""Domain randomisation: simulated radiographs that differ in all that is no finding, so that a network learns the rest.

What differs from a cohort's pictures to real ones is not known, so everything is drawn more widely than any hospital
would have it (Tobin et al., "Domain randomization for transferring deep neural networks from simulation to the real
world", IROS 2017): who is X-rayed (children, thin, obese, askew), texture of lung and soft tissue, exposure (`draw`,
once a picture); and framing, borders, letters, noise and its grain, blur, sharpening, equalisation, resolution, JPEG
(`change`, anew at every epoch).
"""

from dataclasses import replace

import cv2
import numpy as np

from cxr_utils.phantom import FINDINGS, Exposure, Finding, Variety, draw_patient, draw_visit, radiograph

#: What the masks of a picture show, in their order.
MASKS = (*FINDINGS, "right lung", "left lung", "heart")
#: Side of the masks that are kept.
MASK_SIZE = 32

_CHILDREN = 0.3
_NORMAL = 0.25
_HOW_MANY = (0.45, 0.30, 0.17, 0.08)  # of the others have 1, 2, 3 or 4 findings
_LETTERS = list("LRAPDXPORTBLE0123456789:")


def draw(seed: int, number: int, size: int = 256) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw one picture of somebody, with what is in it.

    Args:
        seed: of all pictures.
        number: of this one.
        size: side in pixels.

    Returns:
        Pixels, uint8 (size, size); labels, uint8 (14,), in the order of `FINDINGS`; masks, uint8 (17, 32, 32), the
        share of each place that is covered, from 0 to 255, in the order of `MASKS`.

    Example:
        >>> pixels, labels, masks = draw(0, 0, size=64)
        >>> pixels.shape, labels.shape, masks.shape
        ((64, 64), (14,), (17, 32, 32))
    """
    rng = np.random.default_rng([seed, number])
    child = rng.random() < _CHILDREN
    patient, visit, variety = _anybody(rng, child)
    count = 0 if rng.random() < _NORMAL else 1 + rng.choice(len(_HOW_MANY), p=_HOW_MANY)
    chosen = rng.permutation(len(FINDINGS))[:count]
    findings = [Finding(FINDINGS[one], float(rng.beta(1.2, 1.2)), int(rng.integers(2**31))) for one in chosen]
    picture = radiograph(patient, visit, findings, int(rng.integers(2**31)), size, variety)
    labels = np.zeros(len(FINDINGS), np.uint8)
    labels[chosen] = 1
    shown = picture.masks | picture.organs
    masks = np.zeros((len(MASKS), MASK_SIZE, MASK_SIZE), np.uint8)
    stretch = np.diag([_about_one(rng, 0.09, 0.04 * child), _about_one(rng, 0.09, -0.06 * child)])
    edge = cv2.BORDER_REPLICATE if rng.random() < 0.6 else cv2.BORDER_CONSTANT
    for place, name in enumerate(MASKS):
        if name in shown:
            masks[place] = _moved(shown[name] * np.uint8(255), MASK_SIZE, stretch)
    return _moved(picture.pixels, size, stretch, edge=edge), labels, masks


def _anybody(rng: np.random.Generator, child: bool):
    """A patient, a visit, and what differs besides."""
    age, sex = rng.uniform(0, 14) if child else rng.uniform(15, 95), "F" if rng.random() < 0.5 else "M"
    view = "AP" if rng.random() < 0.45 else "PA"
    patient, visit = draw_patient(rng, age, sex), draw_visit(rng, view)
    traits = {name: 1.4 * value for name, value in patient.traits.items()}
    build = float(np.clip(rng.normal(1.05, 0.22), 0.65, 1.7))
    field = (29, 43)
    if child:  # ribs lie flat, nothing hides the spine, the chest fills the picture
        traits["ribdrop"] -= 1.5
        traits["height"] -= 1.0
        traits["knob"] -= 1.0
        build, field, sex = float(rng.uniform(0.62, 0.95)), (24, 38), "M"
    patient = replace(patient, traits=traits, build=build, sex=sex)
    visit = replace(
        visit,
        field_cm=float(rng.uniform(*field)),
        centre=(float(rng.normal(0, 1.5)), float(rng.normal(1.5, 2.2))),
        tilt=float(rng.normal(0, 3.5)),
        breath=float(np.clip(visit.breath + rng.normal(0, 0.8), -5.5, 2.5)),
        arms=float(rng.beta(0.8, 0.8)),
    )
    exposure = Exposure(
        scatter=float(rng.uniform(0.05, 1.1)),
        spread_cm=3.0,
        blur_cm=float(np.exp(rng.uniform(np.log(0.01), np.log(0.12)))),
        photons=float(np.exp(rng.uniform(np.log(1.5e4), np.log(3e5)))),
        window=(float(0.4 * rng.random() ** 1.5), float(0.3 * rng.random())),
        contrast=float(rng.uniform(0.1, 1.8)),
        gamma=_about_one(rng, 0.35, -0.05),
    )
    variety = Variety(
        exposure,
        heart=_about_one(rng, 0.05, 0.08 * child),
        vessels=_about_one(rng, 0.35, -0.15),
        air=float(rng.uniform(0.8, 1.1)),
        pruned=float(np.clip(rng.normal(0, 0.2), 0, 1)),
        bone=float(rng.uniform(0.45, 1.7)),
        lung_grain=tuple((float(0.05 * rng.random() * rng.random()), cell) for cell in (0.35, 0.8, 1.8, 4.0)),
        tissue_grain=tuple((float(0.45 * rng.random() * rng.random()), cell) for cell in (0.5, 1.5, 4.0, 9.0)),
    )
    return patient, visit, variety


def _about_one(rng: np.random.Generator, spread: float, shift: float = 0.0) -> float:
    """A factor, log-normal."""
    return float(np.exp(rng.normal(shift, spread)))


def change(pixels: np.ndarray, masks: np.ndarray, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Another photograph of the same chest: moved, framed, written on, developed and stored otherwise.

    Args:
        pixels: uint8 (side, side).
        masks: uint8 (masks, 32, 32).
        rng: decides how.
        size: side in pixels of the result; a multiple of 16.

    Returns:
        Pixels, uint8 (size, size), and the masks moved along, uint8 (masks, size / 16, size / 16).

    Example:
        >>> picture, masks = change(*draw(0, 0, size=64)[::2], np.random.default_rng(0), 48)
        >>> picture.shape, masks.shape
        ((48, 48), (17, 3, 3))
    """
    angle, aspect = np.radians(rng.normal(0, 4)), _about_one(rng, 0.06)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([aspect, 1 / aspect]) * _about_one(rng, 0.10, 0.03) + rng.normal(0, 0.03, (2, 2))
    shift = rng.normal(0, 0.04, 2)
    edge = cv2.BORDER_REPLICATE if rng.random() < 0.4 else cv2.BORDER_CONSTANT
    shade = 0.0 if rng.random() < 0.75 else float(rng.integers(256))
    picture = _moved(pixels, size, matrix, shift, edge, shade)
    moved = [
        _moved(mask, size // 16, matrix, shift) if mask.any() else mask[: size // 16, : size // 16] for mask in masks
    ]
    picture = _stored(_written_on(_developed(picture, rng), rng), rng)
    return picture, np.stack(moved)


def _moved(
    picture: np.ndarray,
    size: int,
    matrix: np.ndarray,
    shift: np.ndarray | tuple[float, float] = (0, 0),
    edge: int = cv2.BORDER_CONSTANT,
    shade: float = 0,
) -> np.ndarray:
    """Picture (side, side) to (size, size): transformed about its middle, then moved by shares of its side."""
    side = len(picture)
    if size < side:  # warpAffine takes single pixels: where it shrinks, average first
        picture, side = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), size
    turned = np.asarray(matrix) * size / side
    offset = np.array([size / 2, size / 2]) + np.asarray(shift) * size - turned @ [side / 2, side / 2]
    whole = np.column_stack([turned, offset])
    return cv2.warpAffine(picture, whole, (size, size), flags=cv2.INTER_LINEAR, borderMode=edge, borderValue=shade)


def _developed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Texture, shading, tone, equalisation, sharpness, resolution and noise; uint8 to uint8."""
    size = len(picture)
    grey: np.ndarray = picture.astype(np.float32) / 255
    if rng.random() < 0.45:
        strength = 0.005 + 0.08 * rng.random() ** 2
        field = _noise(rng, size, rng.uniform(0.5, 3.2))
        grey += np.float32(strength) * field * (0.3 + grey if rng.random() < 0.5 else 1)
    if rng.random() < 0.25:
        shading = cv2.resize(rng.standard_normal((3, 3), np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
        grey *= 1 + np.float32(rng.uniform(0.05, 0.3)) * shading
    grey = np.clip(grey, 0, 1) ** np.float32(_about_one(rng, 0.35))
    if rng.random() < 0.3:
        steep, middle = rng.uniform(2, 9), rng.uniform(0.3, 0.7)
        low, grey, high = (1 / (1 + np.exp(-steep * (values - middle))) for values in (0.0, grey, 1.0))
        grey = (grey - low) / (high - low)
    equalised = rng.random()
    if equalised < 0.22:
        tiles = int(rng.integers(2, 9))
        grey = cv2.createCLAHE(rng.uniform(1, 4), (tiles, tiles)).apply(_bytes(grey)).astype(np.float32) / 255
    elif equalised < 0.34:
        grey = cv2.equalizeHist(_bytes(grey)).astype(np.float32) / 255
    sharpness = rng.random()
    if sharpness < 0.25:
        grey = cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.3, 1.6))
    elif sharpness < 0.45:
        grey = grey + rng.uniform(0.3, 2) * (grey - cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.7, 3)))
    if rng.random() < 0.2:
        small = (int(size * rng.uniform(0.35, 0.8)),) * 2
        how = int(rng.choice([cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
        grey = cv2.resize(cv2.resize(grey, small, interpolation=cv2.INTER_AREA), (size, size), interpolation=how)
    if rng.random() < 0.5:
        noise: np.ndarray = rng.standard_normal((size, size), np.float32)
        if rng.random() < 0.6:
            noise = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.4, 1.5))
            noise = noise / noise.std()
        noise = noise * np.float32(0.003 + 0.05 * rng.random() ** 2)
        grey = grey + noise * (np.sqrt(np.clip(grey, 0, 1)) if rng.random() < 0.5 else 1)
    return _bytes(grey)


def _noise(rng: np.random.Generator, size: int, slope: float) -> np.ndarray:
    """A random field whose power falls with this power of the frequency; mean 0, deviation 1, float32."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, np.newaxis], np.fft.rfftfreq(size))
    frequency[0, 0] = np.inf
    waves = rng.standard_normal((2, *frequency.shape))
    field = np.fft.irfft2((waves[0] + 1j * waves[1]) * frequency ** (-slope / 2), (size, size))
    return (field / field.std()).astype(np.float32)


def _written_on(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Borders as of a collimator or of padding, letters and numbers; uint8, changed in place."""
    size = len(picture)
    if rng.random() < 0.2:
        top, bottom, left, right = (rng.random(4) ** 2 * 0.14 * size).astype(int)
        shade = int(rng.choice([0, 0, 0, 10, 60, 255]))
        picture[:top] = picture[size - bottom :] = shade
        picture[:, :left] = picture[:, size - right :] = shade
    for _ in range(rng.poisson(0.8)):
        text = "".join(rng.choice(_LETTERS, int(rng.integers(1, 7))))
        across = rng.uniform(0, 0.2) if rng.random() < 0.5 else rng.uniform(0.7, 0.95)
        down = rng.uniform(0.03, 0.15) if rng.random() < 0.7 else rng.uniform(0.85, 0.98)
        place, grey = (int(size * across), int(size * down)), int(rng.choice(np.array([0, 255, rng.integers(256)])))
        font, height, thick = int(rng.integers(4)), rng.uniform(0.25, 0.7) * size / 224, int(rng.integers(1, 3))
        cv2.putText(picture, text, place, font, height, grey, thick, cv2.LINE_AA)
    return picture


def _stored(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sometimes with JPEG's losses."""
    if rng.random() < 0.3:
        data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 95))])[1]
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))
    return picture


def _bytes(grey: np.ndarray) -> np.ndarray:
    return (np.clip(grey, 0, 1) * 255).astype(np.uint8)
