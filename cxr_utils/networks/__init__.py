"""What is computed: architectures, weights, losses, recipes, frozen features, and a trained network that predicts."""

from cxr_utils import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "models": ("normal_abnormal_cnn", "xray_cnn", "densenet121", "cost_by_part"),
        "efficientnet": ("efficientnet_lite0",),
        "recipes": ("Recipe", "recipe"),
        "trained": ("Trained", "open_model"),
        "losses": ("class_weights",),
        "weights": ("simulated_record", "at_hand"),
        "likeness": ("Likeness",),
    },
)
