"""Heat maps against closed forms, a network computed by hand, and planted signals."""

import numpy as np
import pytest
from networks_with_maps import SIZE, nested, unnested, with_weights

from cxr_utils.errors import RecipeError
from cxr_utils.heatmaps import gradcam
from cxr_utils.networks import models
from cxr_utils.networks.backend import load_keras

METHODS = gradcam.METHODS


def averaging_network(channels=4, outputs=3, size=8, seed=0):
    """Convolution, average over the image, dense layer: the case with a closed form."""
    keras = load_keras()
    image = keras.Input((size, size, 1))
    x = keras.layers.Conv2D(channels, 3, padding="same", activation="relu", name="features")(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(outputs, name="logits")(x))
    generator = np.random.default_rng(seed)
    model.set_weights([generator.normal(size=weight.shape) for weight in model.get_weights()])
    return model


def pictures(count=5, size=8, seed=1):
    return np.random.default_rng(seed).normal(size=(count, size, size, 1)).astype(np.float32)


def features_of(model, images):
    keras = load_keras()
    trunk = keras.Model(model.input, model.get_layer("features").output)
    return keras.ops.convert_to_numpy(trunk(images))


@pytest.mark.parametrize("method", ["gradcam", "hirescam"])
def test_average_and_dense_layer_have_a_closed_form(method):
    """map = relu(sum over channels of weight x feature), scaled: class activation maps (Zhou et al. 2016)."""
    model, images = averaging_network(), pictures()
    features = features_of(model, images)
    kernel = model.get_layer("logits").get_weights()[0]
    expected = np.maximum(np.einsum("nhwc,ck->nkhw", features, kernel), 0)
    largest = expected.max(axis=(2, 3), keepdims=True)
    expected = np.divide(expected, largest, out=np.zeros_like(expected), where=largest > 0)
    maps = gradcam.grad_cam(model, images, method=method)
    assert maps.shape == (5, 3, 8, 8) and maps.dtype == np.float32
    np.testing.assert_allclose(maps, expected, atol=1e-5)


def small_network(dense, size=2):
    """The picture itself as feature, in two channels (as it is, and negated), flattened, one dense layer."""
    keras = load_keras()
    image = keras.Input((size, size, 1))
    x = keras.layers.Conv2D(2, 1, name="features")(image)
    logits = keras.layers.Dense(np.shape(dense)[-1], name="logits")(keras.layers.Flatten()(x))
    model = keras.Model(image, logits)
    model.set_weights([np.array([[[[1.0, -1.0]]]]), np.zeros(2), np.asarray(dense, float), np.zeros(len(dense[0]))])
    return model


def test_by_hand():
    """Features [1 2; 3 4] and their negatives; gradients (place by place, channel by channel) as in `dense`.

    Grad-CAM: the first channel's mean gradient is (4 + 0 + 0 + 0) / 4 = 1, the second's (0 + 0 + 0 - 2) / 4 =
    -0.5. The map is 1 x feature - 0.5 x (-feature) = 1.5 x feature, scaled: [.25 .5; .75 1]. HiResCAM: 4 x 1
    at the first place, -2 x -4 = 8 at the last, nothing between, scaled: [.5 0; 0 1].
    """
    model = small_network([[4], [0], [0], [0], [0], [0], [0], [-2]])
    image = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)[None, :, :, None]
    np.testing.assert_allclose(gradcam.grad_cam(model, image)[0, 0], [[0.25, 0.5], [0.75, 1.0]], atol=1e-6)
    hires = gradcam.grad_cam(model, image, method="hirescam")
    np.testing.assert_allclose(hires[0, 0], [[0.5, 0], [0, 1]], atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_map_without_evidence_is_zero_and_not_missing(method):
    model, images = averaging_network(), pictures()
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([-np.abs(kernel) * [1, 0, 1], bias])
    maps = gradcam.grad_cam(model, images, method=method)
    assert (maps == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_planted_signal_is_found(method):
    """One channel looks for a bright spot; the network was told that this channel is the finding."""
    model = averaging_network(channels=2, outputs=1, size=16)
    spot = np.zeros((3, 3, 1, 2))
    spot[:, :, 0, 0], spot[1, 1, 0, 1] = 1 / 9, 1
    model.set_weights([spot, np.array([-2.0, 0.0]), np.array([[1.0], [0.0]]), np.zeros(1)])
    images = pictures(6, 16)
    places = [(2, 3), (8, 8), (13, 4), (5, 12), (1, 14), (10, 10)]
    for image, (row, column) in zip(images, places, strict=True):
        image[row - 1 : row + 2, column - 1 : column + 2] += 6
    maps = gradcam.grad_cam(model, images, method=method)[:, 0]
    found = [np.unravel_index(heat.argmax(), heat.shape) for heat in maps]
    assert [tuple(map(int, place)) for place in found] == places


def test_findings_and_images_do_not_touch_each_other():
    model, images = averaging_network(), pictures(70)  # more than two batches
    together = gradcam.grad_cam(model, images)
    np.testing.assert_array_equal(gradcam.grad_cam(model, images, [2, 0]), together[:, [2, 0]])
    np.testing.assert_allclose(gradcam.grad_cam(model, images[40:41]), together[40:41], atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_only_maps_that_are_wanted_are_made(method):
    model, images = averaging_network(), pictures(70)
    wanted = np.random.default_rng(0).random((70, 2)) < 0.3
    every = gradcam.grad_cam(model, images, [2, 0], method=method)
    some = gradcam.grad_cam(model, images, [2, 0], method=method, wanted=wanted)
    np.testing.assert_allclose(some[wanted], every[wanted], atol=1e-5)
    assert (some[~wanted] == 0).all()
    assert every[~wanted].any()


@pytest.mark.parametrize("wanted", [np.ones((2, 3), bool), np.ones(3, bool), np.zeros((3, 3), bool)])
def test_wanted_of_another_shape_or_nothing_wanted_is_refused(wanted):
    with pytest.raises(RecipeError, match=r"Expected \(3, 3\), images and outputs"):
        gradcam.grad_cam(averaging_network(), pictures(3), wanted=wanted)


def one_call_each(model, images, outputs, features):
    """The textbook way: a tape and a forward pass for each image and finding; `features` is a tensor of the model."""
    import tensorflow

    both = load_keras().Model(model.input, [features, model.output])
    maps = []
    for image in images:
        for output in outputs:
            with tensorflow.GradientTape() as tape:
                seen, logits = both(image[None], training=False)
                logit = logits[0, output]
            gradient = tape.gradient(logit, seen).numpy()[0]
            heat = np.maximum(seen.numpy()[0] @ gradient.mean(axis=(0, 1)), 0)
            maps.append(heat / max(heat.max(), 1e-30))
    return np.reshape(maps, (len(images), len(outputs), *maps[0].shape))


@pytest.mark.parametrize(
    ("build", "layer"),
    [
        ("normal_abnormal_cnn", "conv3"),  # a dense layer of hidden units behind, so gradients differ by image
        ("normal_abnormal_cnn", "pool1"),
        ("xray_cnn", "maps"),
        ("xray_cnn", "block3_a_relu"),  # inside a residual block: something passes around it
        ("xray_cnn", "block2_shortcut"),
        ("xray_cnn", "stem_conv"),
    ],
)
def test_same_as_one_gradient_call_per_image_and_finding(build, layer):
    model, images = with_weights(getattr(models, build)(16, 2)), pictures(3, 16)
    expected = one_call_each(model, images, [0, 1], model.get_layer(layer).output)
    np.testing.assert_allclose(gradcam.grad_cam(model, images, layer=layer), expected, atol=1e-4)


def test_inside_a_densely_connected_block():
    """DenseNet hands every map to all later layers of its block, so no layer there cuts the network in two."""
    model, images, layer = with_weights(models.densenet121(32, 2, weights=None)), pictures(2, 32), "conv4_block3_2_conv"
    with pytest.raises(RecipeError, match="looks at what came before"):
        gradcam.cut(model, layer)
    expected = one_call_each(model, images, [1], model.get_layer(layer).output)
    assert 0 < expected.mean() < 1
    np.testing.assert_allclose(gradcam.grad_cam(model, images, [1], layer), expected, atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("inside", "outside"),
    [("body/first", "first"), ("body/through", "through"), ("body", "pool"), ("top/first", "top_first"), (None, None)],
)
def test_nested_network_has_the_maps_of_the_same_network_without_nesting(method, inside, outside):
    images = pictures(4, SIZE)
    maps = gradcam.grad_cam(with_weights(nested()), images, layer=inside, method=method)
    expected = gradcam.grad_cam(with_weights(unnested()), images, layer=outside, method=method)
    assert expected.max() == 1
    np.testing.assert_allclose(maps, expected, atol=1e-5)


def test_layers_of_nested_models_are_named_by_their_way_in():
    names = gradcam.map_layers(nested())
    inside = [f"body/{name}" for name in ("first", "through", "around", "sum", "pool")]
    assert sorted(names) == sorted([*inside, "body", "top/first"]) and names[-1] == "top/first"


def test_nested_models_cannot_be_cut_open():
    with pytest.raises(RecipeError, match="inside a nested model.*'top/first'"):
        gradcam.cut(nested(), "body/first")


def test_pretrained_body_of_unknown_size_as_a_layer():
    """As tutorials build it: keras.applications inside a model, made for pictures of any size."""
    keras = load_keras()
    inner = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(None, None, 3), alpha=0.35)
    outer = keras.Sequential([keras.Input((64, 64, 3)), inner, keras.layers.GlobalAveragePooling2D()])
    outer.add(keras.layers.Dense(2))
    with_weights(outer)
    images = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype(np.float32)
    last = f"{inner.name}/{inner.layers[-1].name}"
    maps, features = gradcam.grad_cam(outer, images), keras.ops.convert_to_numpy(inner(images, training=False))
    heat = np.maximum(np.einsum("nhwc,ck->nkhw", features, outer.layers[-1].get_weights()[0]), 0)
    assert gradcam.map_layers(outer)[-2:] == [last, inner.name] and maps.shape == (2, 2, 2, 2)
    np.testing.assert_allclose(maps, heat / heat.max(axis=(2, 3), keepdims=True), atol=1e-4)


def test_explaining_leaves_the_network_as_it_was():
    model, images = with_weights(nested()), pictures(2, SIZE)
    keras = load_keras()
    logits, calls = keras.ops.convert_to_numpy(model(images)), dict(vars(model.get_layer("body")))
    with pytest.raises(RecipeError, match="not finite"):
        gradcam.grad_cam(model, images * np.nan, layer="body")
    gradcam.grad_cam(model, images, layer="body")
    assert vars(model.get_layer("body")).keys() == calls.keys()
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(images)), logits)


def test_layer_used_twice_is_refused():
    keras = load_keras()
    image, twice = keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 3, padding="same", name="twice")
    x = keras.layers.Flatten()(twice(twice(image)))
    with pytest.raises(RecipeError, match="'twice' ran 2 times"):
        gradcam.grad_cam(keras.Model(image, keras.layers.Dense(1)(x)), pictures())


@pytest.mark.parametrize("build", ["normal_abnormal_cnn", "xray_cnn"])
def test_cut_networks_give_the_same_logits_at_every_layer_all_pass(build):
    model, images = getattr(models, build)(16, 2), pictures(2, 16)
    whole = load_keras().ops.convert_to_numpy(model(images, training=False))
    cuts = 0
    for layer in gradcam.map_layers(model):
        try:
            trunk, head = gradcam.cut(model, layer)
        except RecipeError as problem:
            assert "looks at what came before" in str(problem)  # inside a residual block
            continue
        halves = load_keras().ops.convert_to_numpy(head(trunk(images, training=False), training=False))
        np.testing.assert_allclose(halves, whole, atol=1e-5)
        cuts += 1
    assert cuts >= 3


def test_wrong_requests_name_what_would_fit():
    model, images = averaging_network(), pictures()
    for arguments, message in (
        ({"layer": "conv5"}, "Expected one of features"),
        ({"layer": "logits"}, "puts out no map"),
        ({"outputs": [3]}, "from 0 to 2"),
        ({"outputs": []}, "from 0 to 2"),
        ({"method": "gradcan"}, "gradcam, hirescam"),
    ):
        with pytest.raises(RecipeError, match=message):
            gradcam.grad_cam(model, images, **arguments)
    with pytest.raises(RecipeError, match="image\\[None\\]"):
        gradcam.grad_cam(model, images[0])
    with pytest.raises(RecipeError, match="not finite"):
        gradcam.grad_cam(model, images * np.nan)


@pytest.mark.parametrize("ending", ["layer", "dense", "function", "softmax layer", "nested model"])
def test_probabilities_are_refused(ending):
    keras = load_keras()
    model = averaging_network()
    endings = {
        "layer": lambda: keras.layers.Activation("sigmoid")(model.output),
        "dense": lambda: keras.layers.Dense(2, activation="sigmoid")(model.output),
        "function": lambda: keras.ops.sigmoid(model.output),
        "softmax layer": lambda: keras.layers.Softmax()(model.output),
        "nested model": lambda: keras.Sequential([keras.layers.Dense(2, activation="sigmoid")])(model.output),
    }
    with pytest.raises(RecipeError, match="ends in probabilities \\((sigmoid|softmax)\\)"):
        gradcam.grad_cam(keras.Model(model.input, endings[ending]()), pictures())


def test_upsampling_keeps_shape_and_range():
    maps = np.random.default_rng(0).random((2, 3, 4, 4))
    large = gradcam.upsample(maps, 32)
    assert large.shape == (2, 3, 32, 32) and large.dtype == np.float32
    assert large.min() >= maps.min() - 1e-6 and large.max() <= maps.max() + 1e-6
    np.testing.assert_allclose(large[1, 2].mean(), gradcam.upsample(maps[1, 2], 32).mean())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bias", [-80.0, 80.0])
def test_maps_are_those_of_the_logit_however_sure_the_network_is(method, bias):
    """A sigmoid has no slope there: the gradient of a probability would be zero."""
    model, images = averaging_network(), pictures()
    maps = gradcam.grad_cam(model, images, method=method)
    kernel, _ = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([kernel, np.full(3, bias)])
    np.testing.assert_allclose(gradcam.grad_cam(model, images, method=method), maps, atol=1e-5)
    assert 0 < maps.max() == 1


@pytest.mark.parametrize("method", ["gradcam", "hirescam"])
def test_evidence_against_is_cut_off_after_the_sum_and_each_map_has_its_own_maximum(method):
    """The first finding weighs the picture with 1, the second with -3: what is left above zero, scaled."""
    model = small_network([[1, -3], [0, 0]] * 4)  # channels: the picture, and its negative with weight 0
    pixels = np.array([[[1.0, -2.0], [4.0, 0.0]], [[-1.0, -8.0], [-2.0, 2.0]]], dtype=np.float32)
    maps = gradcam.grad_cam(model, pixels[..., None], method=method)
    expected = [[[[0.25, 0], [1, 0]], [[0, 1], [0, 0]]], [[[0, 0], [0, 1]], [[0.125, 1], [0.25, 0]]]]
    np.testing.assert_allclose(maps, expected, atol=1e-6)


def test_what_speaks_for_a_finding_in_one_feature_and_against_it_in_another_is_summed_first():
    """Cutting each feature before the sum would leave heat where the two cancel."""
    model = small_network([[2], [3]] * 4)  # 2 x - 3 x = -x
    image = np.array([[1.0, -2.0], [-4.0, 0.0]], dtype=np.float32)[None, :, :, None]
    np.testing.assert_allclose(gradcam.grad_cam(model, image)[0, 0], [[0, 0.5], [1, 0]], atol=1e-6)


def test_the_numbers_of_a_batch_do_not_matter(monkeypatch):
    model, images = averaging_network(), pictures(5)
    whole = gradcam.grad_cam(model, images)
    monkeypatch.setattr(gradcam, "BATCH", 2)
    np.testing.assert_allclose(gradcam.grad_cam(model, images), whole, atol=1e-6)


def test_upsampling_is_bilinear_between_the_middles_of_cells():
    small = np.array([[0.0, 4.0], [8.0, 12.0]])
    # Middles of the four pixels lie at -1/4, 1/4, 3/4 and 5/4 of the way between the middles of the two cells.
    way = np.clip([-0.25, 0.25, 0.75, 1.25], 0, 1)
    np.testing.assert_allclose(gradcam.upsample(small, 4), 8 * way[:, None] + 4 * way, atol=1e-6)
    stack = gradcam.upsample(np.stack([[small, small * 2]] * 3), 4)
    assert stack.shape == (3, 2, 4, 4)
    np.testing.assert_allclose(stack[1, 1], 2 * stack[2, 0])
