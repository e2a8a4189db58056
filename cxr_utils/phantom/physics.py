"""From thicknesses to grey values: attenuation, scatter, blur, noise and display.

Lengths are in cm along the ray, attenuation coefficients in 1/cm, doses in photons a pixel.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from .drawing import Frame

# Linear attenuation at an effective energy of 60 keV (a 120 kVp beam after the patient), from the mass
# attenuation coefficients of NIST (Hubbell and Seltzer, NISTIR 5632): water 0.206 cm2/g at 1.00 g/cm3, cortical
# bone (ICRU-44) 0.315 cm2/g at 1.92 g/cm3. Wires and clips are given as steel, clipped to what a display shows.
WATER_PER_CM = 0.206
BONE_PER_CM = 0.605
METAL_PER_CM = 9.0

_STRONG = 0.5  # a difference in attenuation that needs no lifting to be seen


@dataclass(frozen=True)
class Exposure:
    """How one picture was taken and shown.

    Attributes:
        scatter: scattered light over primary light at the detector. With a grid 0.2 to 0.8, without one (a
            portable) up to 2 and more behind the mediastinum (Bushberg et al., The Essential Physics of Medical
            Imaging). Here it weighs light already spread over the body, so smaller numbers do the same.
        spread_cm: reach of the scatter.
        blur_cm: focal spot, motion and detector together, as the deviation of a Gaussian.
        photons: photons a square millimetre behind no patient at all.
        window: fractions of the body's darkest and brightest grey left out on both sides of the display.
        contrast: how strongly the display lifts detail over the broad shades (multi-scale processing).
        gamma: of the display, below 1 brighter.

    Example:
        >>> portable = Exposure(1.2, 4.0, 0.06, 3000.0, (0.0, 0.0), contrast=0.3, gamma=0.9)
        >>> portable.scatter
        1.2
    """

    scatter: float
    spread_cm: float
    blur_cm: float
    photons: float
    window: tuple[float, float]
    contrast: float
    gamma: float


def detect(
    frame: Frame, water: np.ndarray, bone: np.ndarray, metal: np.ndarray, exposure: Exposure, rng: np.random.Generator
) -> np.ndarray:
    """The detector's signal in units of attenuation: minus the logarithm of the light that arrives.

    Beer-Lambert for three materials, scatter as a broad blur of the primary light, a Gaussian for blur, and the
    normal limit of Poisson noise (more than 100 photons a pixel, so the two cannot be told apart).

    Args:
        frame: the picture's geometry.
        water: cm of water-like tissue along each ray, (size, size) float32.
        bone: cm of cortical bone.
        metal: cm of metal.
        exposure: see `Exposure`.
        rng: source of the noise.

    Returns:
        float32 (size, size), 0 where nothing is in the way.
    """
    attenuation = water * np.float32(WATER_PER_CM) + bone * np.float32(BONE_PER_CM)
    light = np.exp(-attenuation - metal * np.float32(METAL_PER_CM))
    # Scatter comes from the body: it is strong behind tissue and absent beside it.
    made = frame.blur(np.minimum(light, np.float32(0.25)), exposure.spread_cm)
    light = frame.blur(light, exposure.blur_cm) + made * np.float32(exposure.scatter)
    photons = np.float32(exposure.photons * (10 / frame.scale) ** 2)
    noise = rng.standard_normal(light.shape, dtype=np.float32)
    counts = light * photons + np.sqrt(light * photons) * noise
    return -np.log(np.maximum(counts / photons, np.float32(1e-5)))


def display(frame: Frame, signal: np.ndarray, body: np.ndarray, exposure: Exposure) -> np.ndarray:
    """The picture that is stored: detail lifted, window set by the body's own range, 8 bits.

    Args:
        frame: the picture's geometry.
        signal: of `detect`.
        body: True where there is patient; the window is set there, as a workstation sets it.
        exposure: see `Exposure`.

    Returns:
        uint8 (size, size), bright where the body is dense.
    """
    signal = np.minimum(signal, np.float32(9))
    broad = frame.blur(signal, 3.0)
    # Faint detail is lifted most; strong edges little, or bright seams would follow them.
    signal = signal + np.float32(exposure.contrast * _STRONG) * np.tanh((signal - broad) * np.float32(1 / _STRONG))
    seen = signal[::4, ::4][body[::4, ::4]]
    low, high = np.quantile(seen, [0.02, 0.985]) if seen.size > 50 else (0.0, 5.0)
    span = high - low
    low, high = low - exposure.window[0] * span, high + exposure.window[1] * span
    grey = np.clip((signal - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    table = (255 * np.linspace(0, 1, 1024) ** exposure.gamma).astype(np.float32)
    return cv2.convertScaleAbs(table[(grey * 1023).astype(np.int32)])
