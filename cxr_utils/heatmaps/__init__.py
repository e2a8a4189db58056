"""Where a network looks, and how well: Grad-CAM, scores against boxes and masks, tests of sanity."""

from cxr_utils import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "gradcam": ("grad_cam", "cut", "map_layers", "upsample"),
        "localization": ("score", "Scored"),
        "priors": ("blind_maps",),
        "sanity": ("cascade", "map_similarity"),
    },
)
