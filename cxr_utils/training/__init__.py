"""How a network is learned: batches, epochs, callbacks, devices, resuming, pretraining."""

from cxr_utils import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "fit": ("train", "cached", "Options"),
        "pipeline": ("batches", "augmented", "AUGMENTATIONS"),
        "pretraining": ("pretrain", "Plan"),
    },
)
