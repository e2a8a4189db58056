"""The commands that make a network and ask it, and the folder that goes between them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from tiny_dataset import tiny_dataset

from cxr_utils import cache, plots
from cxr_utils.data import images, opening
from cxr_utils.data.opening import open_dataset
from cxr_utils.errors import RecipeError
from cxr_utils.heatmaps import gradcam
from cxr_utils.networks import recipes, weights
from cxr_utils.networks.recipes import Recipe
from cxr_utils.networks.trained import PREPROCESSING, Trained, open_model
from cxr_utils.training import fit, pretraining

SMALL = Recipe("normal_abnormal_cnn", size=32, epochs=2, batch_size=12)


@pytest.fixture(scope="module")
def rays(workplace):
    """Class folders of pictures that differ in brightness, which a network learns at once."""
    rng = np.random.default_rng(0)
    for number in range(60):
        kind, level = (("NORMAL", 90), ("PNEUMONIA", 130))[number % 2]
        for part in [("train", "valid", "test")[(number // 2) % 5 // 3 + ((number // 2) % 5 == 4)]]:
            folder = workplace / "rays" / part / kind
            folder.mkdir(parents=True, exist_ok=True)
            picture = rng.normal(level, 20, (40, 40))
            picture[10:20, 10:20] += 60 * (number % 2)
            cv2.imwrite(str(folder / f"person{number}_1.png"), np.clip(picture, 0, 255).astype(np.uint8))
    return workplace / "rays"


@pytest.fixture(scope="module")
def trained(workplace):
    return fit.train(SMALL, tiny_dataset(workplace / "images"))


@pytest.fixture(scope="module")
def exported(trained, workplace):
    return trained.export(workplace / "exported")


def test_train_then_predict_then_explain(cxr, rays, workplace, monkeypatch):
    monkeypatch.setitem(recipes._QUICK, "tiny", SMALL)
    folder = workplace / "network"
    status, out, err = cxr("train", "--recipe", "tiny", "--data", rays, "--out", folder, "--json")
    assert (status, err) == (0, "")
    told = json.loads(out.splitlines()[-1])
    trained = open_model(folder)
    assert told["model"] == str(folder) and told["findings"] == list(trained.findings) and told["epochs"] == 2

    files = sorted(rays.glob("test/*/*.png"))[:2]
    status, out, err = cxr("predict", *files, "--model", folder, "--json")
    records = json.loads(out)
    assert status == 0 and [record["file"] for record in records] == [str(file) for file in files]
    for file, record in zip(files, records, strict=True):
        assert record["probabilities"] == trained.predict_file(file).to_dict()

    picture = workplace / "why.png"
    status, out, err = cxr("explain", files[0], "--model", folder, "--out", picture, "--json")
    told, probabilities = json.loads(out), trained.predict_file(files[0])
    assert told["finding"] == probabilities.idxmax() and told["probability"] == probabilities.max()
    assert images.read_image(picture).ndim == 2
    assert cxr("explain", files[0], "--model", folder, "--out", picture)[1].split()[2] == str(picture)


@pytest.fixture(scope="module")
def tables(workplace):
    """The tiny data set with its two findings as a folder that `--data` opens: a table for each part."""
    dataset = tiny_dataset(workplace / "tables")
    columns = {"image": "Image", "patient": "PatientId"}
    for part, table in dataset.table.groupby("split"):
        table.rename(columns=columns).drop(columns="split").to_csv(workplace / "tables" / f"{part}.csv", index=False)
    return workplace / "tables"


def test_a_network_with_one_question_is_trained_judged_and_asked(cxr, tables, workplace, monkeypatch):
    recipe = replace(SMALL, epochs=4, batch_size=8, patience=None, question="any")
    monkeypatch.setitem(recipes._QUICK, "tiny", recipe)
    folder = workplace / "one-question"
    status, out, _ = cxr("train", "--recipe", "tiny", "--data", tables, "--out", folder, "--json")
    told, network = json.loads(out.splitlines()[-1]), open_model(folder)
    assert status == 0 and told["findings"] == ["Abnormal"] and told["weights"] == network.model.count_params()
    assert told["val_loss"] == round(network.history["val_loss"].iloc[-1], 4)  # of the epoch that is kept

    status, out, _ = cxr("evaluate", folder, "--data", tables, "--json")
    judged = json.loads(out)
    data = open_dataset(tables)
    test = data.part("test")
    scores = [network.predict_file(test.path(name))["Abnormal"] for name in test.table["image"]]
    area = roc_auc_score(test.labels.any(axis=1), scores)
    assert status == 0 and judged["auc"][0]["finding"] == "Abnormal" and judged["about"]["findings"] == 1
    assert judged["auc"][0]["auc"] == pytest.approx(area)
    assert "chosen on 12 images of valid" in judged["about"]["thresholds"]

    file = test.path(test.table["image"][0])
    assert json.loads(cxr("predict", file, "--model", folder, "--json")[1])[0]["probabilities"].keys() == {"Abnormal"}
    assert cxr("explain", file, "--model", folder, "--out", workplace / "one.png")[1].startswith("Abnormal ")


def test_a_table_with_one_question_is_judged_like_the_network(cxr, tables, tmp_path):
    test = open_dataset(tables).part("test")
    scores = np.random.default_rng(0).random(len(test))
    test.table[["image"]].assign(Abnormal=scores).to_csv(tmp_path / "scores.csv", index=False)
    judged = json.loads(cxr("evaluate", tmp_path / "scores.csv", "--data", tables, "--json")[1])
    assert judged["auc"][0]["auc"] == pytest.approx(roc_auc_score(test.labels.any(axis=1), scores))


def test_a_part_of_the_images_is_another_network(cxr, tables, workplace, monkeypatch):
    monkeypatch.setitem(recipes._QUICK, "tiny", replace(SMALL, epochs=1))
    monkeypatch.setenv("CXR_HOME", str(workplace))
    folders = []
    for more in ([], ["--images", 11], ["--images", 1000]):
        status, out, _ = cxr("train", "--recipe", "tiny", "--data", tables, "--json", *more)
        assert status == 0
        folders.append(open_model(json.loads(out.splitlines()[-1])["model"]))
        assert ("1,000 training images were asked for; all 36" in out) == (1000 in more)
    whole, part, all_of_it = folders
    assert [network.card["images"] for network in folders] == [
        {"train": 36, "valid": 12}, {"train": 12, "valid": 4}, {"train": 36, "valid": 12},
    ]  # fmt: skip
    assert part.card["patients"] == {"train": 6, "valid": 2}  # two images each
    assert part.card["data"]["digest"] != whole.card["data"]["digest"] == all_of_it.card["data"]["digest"]
    assert [network.folder.name for network in folders] == [
        "tiny-tables-quick-seed0", "tiny-tables-quick-seed0-images11", "tiny-tables-quick-seed0-images1000",
    ]  # fmt: skip
    status, _, err = cxr("train", "--recipe", "tiny", "--data", tables, "--images", 0)
    assert status == 2 and "0 training images were asked for. Expected at least 1." in err


def test_pretraining_by_command(cxr, rays, monkeypatch):
    asked = []
    monkeypatch.setattr(pretraining, "pretrain", lambda plan: plan)
    monkeypatch.setattr(pretraining, "ship", lambda run, target, judges: asked.append((run, target, judges)) or target)
    for arguments in ([], ["--rehearse"], ["--rehearse", "--judge", rays, "--judge", rays]):
        status, out, _ = cxr("pretrain", *arguments)
        assert (status, out) == (0, f"{asked[-1][1]}\n")
    (plan, shipped, none), (rehearsal, elsewhere, _), (_, _, judges) = asked
    assert (plan, shipped, none) == (pretraining.PLAN, weights.simulated_path("efficientnet_lite0"), [])
    assert rehearsal.images < 100 and cache.root() in elsewhere.parents
    assert [len(one) for one in judges] == [len(open_dataset(rays))] * 2


def test_a_bad_file_is_named_and_the_others_are_predicted(cxr, exported, trained, tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    cv2.imwrite(str(good), np.random.default_rng(1).integers(0, 255, (50, 50), dtype=np.uint8))
    bad.write_bytes(good.read_bytes()[:100])
    status, out, err = cxr("predict", bad, good, "--model", exported.folder)
    assert status == 1 and str(bad) in err and "Traceback" not in err and err.count("\n") == 1
    (row,) = [line for line in out.splitlines() if line.startswith("Mass")]
    assert float(row.split()[1]) == round(float(trained.predict_file(good)["Mass"]), 3)
    status, out, err = cxr("predict", bad, good, "--model", exported.folder, "--json")
    assert status == 1 and ["error" in record for record in json.loads(out)] == [True, False]
    assert cxr("predict", bad, "--model", exported.folder)[:2] == (1, "")
    status, out, _ = cxr("predict", bad, "--model", exported.folder, "--json")
    assert status == 1 and [record["file"] for record in json.loads(out)] == [str(bad)]
    status, _, err = cxr("explain", bad, "--model", exported.folder)
    assert status == 2 and str(bad) in err and err.count("\n") == 1
    cv2.imwrite(str(bad), np.zeros((1, 100), np.uint8))
    for command, ended in (("explain", 2), ("predict", 1)):
        status, _, err = cxr(command, bad, "--model", exported.folder)
        assert status == ended and f"{bad} is 100 x 1 pixels" in err and err.count("\n") == 1


def test_explain_is_about_the_likeliest_finding_or_the_one_that_was_asked_for(cxr, exported, workplace, monkeypatch):
    drawn, asked = [], []
    explanation, grad_cam = plots.explanation, gradcam.grad_cam
    monkeypatch.setattr(plots, "explanation", lambda *given: drawn.append(given) or explanation(*given))
    monkeypatch.setattr(gradcam, "grad_cam", lambda *given: asked.append(given) or grad_cam(*given))
    monkeypatch.chdir(workplace)
    file = workplace / "images" / "0003.png"
    probabilities = exported.predict_file(file)
    assert probabilities["Mass"] != probabilities["Nodule"]
    likeliest, other = probabilities.sort_values(ascending=False).index
    for arguments, finding in (([], likeliest), (["--finding", likeliest], likeliest), (["--finding", other], other)):
        status, out, _ = cxr("explain", file, "--model", exported.folder, *arguments, "--json")
        told = json.loads(out)
        assert status == 0 and told == {
            "file": str(file),
            "finding": finding,
            "probability": float(probabilities[finding]),
            "picture": "0003-explained.png",
        }
        pixels, heat, name = drawn[-1]
        model, pictures, outputs = asked[-1]
        assert name == finding and outputs == [exported.findings.index(finding)]
        np.testing.assert_array_equal(pixels, images.read_image(file))
        np.testing.assert_array_equal(pictures, images.load_image(file, 32)[None])
        np.testing.assert_array_equal(heat, grad_cam(exported.model, pictures, outputs)[0, 0])
    assert (workplace / "0003-explained.png").read_bytes().startswith(b"\x89PNG")
    shown = cxr("explain", file, "--model", exported.folder)[1]
    assert shown == f"{likeliest} {probabilities[likeliest]:.3f}  0003-explained.png\n"


def test_a_table_of_predictions_has_findings_down_and_files_across(cxr, exported, trained, workplace, tmp_path):
    first = workplace / "images" / "0001.png"
    second = shutil.copy(workplace / "images" / "0002.png", tmp_path / "0001.png")  # of the same name
    status, out, err = cxr("predict", first, second, "--model", exported.folder)
    lines = [line.split() for line in out.splitlines()]
    assert (status, err) == (0, "") and lines[0] == ["0001.png", "0001.png"]
    expected = [trained.predict_file(file) for file in (first, second)]
    assert lines[1:] == [[name, *(f"{one[name]:.3f}" for one in expected)] for name in ("Mass", "Nodule")]


@pytest.mark.parametrize(("part", "count"), [("train", 36), ("valid", 12), ("test", 12), ("all", 60)])
def test_evaluate_judges_the_part_that_was_asked_for(cxr, exported, tables, part, count):
    status, out, err = cxr("evaluate", exported.folder, "--data", tables, "--part", part, "--json")
    judged, data = json.loads(out), open_dataset(tables)
    chosen = data if part == "all" else data.part(part)
    assert (status, err) == (0, "") and len(chosen) == count
    assert (judged["about"]["part"], judged["about"]["images"]) == (part, count)
    scores = exported.predict(chosen)
    for column, row in enumerate(judged["auc"][:2]):
        expected = roc_auc_score(chosen.labels[:, column], scores[row["finding"]].to_numpy())
        assert row["finding"] == chosen.findings[column] and row["auc"] == pytest.approx(expected)
    apart = "chosen on 12 images of valid" in judged["about"]["thresholds"]
    assert apart == (part in ("train", "test"))  # never on the images that are judged


def test_a_network_is_judged_elsewhere_on_what_both_know(cxr, exported, tables, tmp_path):
    for part in ("train", "valid", "test"):
        table = pd.read_csv(tables / f"{part}.csv").rename(columns={"Nodule": "Edema"})
        table.to_csv(tmp_path / f"{part}.csv", index=False)
    shutil.copytree(tables, tmp_path / "images", ignore=shutil.ignore_patterns("*.csv"))
    status, out, err = cxr("evaluate", exported.folder, "--data", tmp_path, "--json")
    judged, test = json.loads(out), open_dataset(tmp_path).part("test")
    assert status == 0 and [row["finding"] for row in judged["auc"]] == ["Mass", "mean"]
    scores = exported.predict(test)["Mass"].to_numpy()
    expected = roc_auc_score(test.table["Mass"], scores)
    assert judged["auc"][0]["auc"] == pytest.approx(expected)
    assert judged["notes"][:3] == [
        "judged: Mass, which both know", "no predictions for Edema", "no labels for Nodule",
    ]  # fmt: skip
    test.path(test.table["image"][0]).unlink()
    judged = json.loads(cxr("evaluate", exported.folder, "--data", tmp_path, "--json")[1])
    assert judged["about"]["images"] == 11
    assert judged["notes"][0] == "1 of 60 images have no file here and are not judged"


@pytest.mark.parametrize("place", [str(Path(__file__) / "network"), __file__, str(Path(__file__).parent)])
def test_a_place_that_cannot_take_a_network_is_refused_before_the_training(cxr, rays, monkeypatch, place):
    monkeypatch.setitem(recipes._QUICK, "tiny", SMALL)
    monkeypatch.setattr(fit, "train", None)  # would fail if it were called
    status, out, err = cxr("train", "--recipe", "tiny", "--data", rays, "--out", place)
    assert (status, out) == (2, "") and err.count("\n") == 1
    assert f"{place} cannot be written (" in err or f"{place} exists and is no trained network" in err


def test_evaluate_writes_a_page_only_where_its_name_says_so(cxr, tables, tmp_path):
    test = open_dataset(tables).part("test")
    scores = np.random.default_rng(0).random((len(test), 2))
    test.table[["image"]].assign(Mass=scores[:, 0], Nodule=scores[:, 1]).to_csv(tmp_path / "s.csv", index=False)
    status, _, err = cxr("evaluate", tmp_path / "s.csv", "--data", tables, "--report", tmp_path / "page.txt")
    assert status == 2 and "page.txt was asked for. Expected a name that ends in .html" in err
    status, out, _ = cxr("evaluate", tmp_path / "s.csv", "--data", tables, "--report", tmp_path / "page.html")
    assert status == 0 and out.endswith(f"\nreport: {tmp_path / 'page.html'}\n")
    assert "s.csv" in (tmp_path / "page.html").read_text() and (tmp_path / "page.json").exists()


def test_without_a_model_the_network_of_the_lessons_answers_and_an_exported_one_before_it(
    cxr, exported, trained, workplace, tmp_path, monkeypatch
):
    monkeypatch.setenv("CXR_HOME", str(tmp_path))
    file, asked = workplace / "images" / "0001.png", []
    monkeypatch.setattr(fit, "cached", lambda *given: asked.append(given) or trained)
    monkeypatch.setattr(opening, "open_dataset", lambda source: source)
    assert cxr("predict", file)[0] == 2 and not asked  # no simulated data: nobody can have trained on them
    (tmp_path / "data/phantom/quick-seed0").mkdir(parents=True)
    status, out, _ = cxr("predict", file, "--json")
    assert status == 0 and asked == [(recipes.recipe("lite0-transfer"), "phantom")]
    assert json.loads(out)[0]["probabilities"] == trained.predict_file(file).to_dict()
    shutil.copytree(exported.folder, tmp_path / "runs/models/lite0-transfer-phantom-quick-seed0")
    assert cxr("predict", file)[0] == 0 and len(asked) == 1


def test_what_cannot_be_done_is_one_line(cxr, exported, workplace, tmp_path, monkeypatch):
    file = next((workplace / "images").glob("*.png"))
    monkeypatch.setenv("CXR_HOME", str(tmp_path))
    wrong = {
        "cxr train --recipe lite0-transfer": ["predict", file],
        "Expected one of what the network knows: Mass, Nodule": [
            "explain", file, "--model", exported.folder, "--finding", "Gout",
        ],
        "has no card.json": ["predict", file, "--model", tmp_path],
        "'xray' with profile": ["train", "--recipe", "xray"],
        "devices='many'": ["train", "--recipe", "xray-vision", "--devices", "many"],
        "cannot be written": ["explain", file, "--model", exported.folder, "--out", file / "x.png"],
    }  # fmt: skip
    for message, arguments in wrong.items():
        status, _, err = cxr(*arguments)
        assert status == 2 and message in err and err.count("\n") == 1, (message, err)


def test_an_exported_network_is_the_one_in_the_cache(trained, exported, workplace):
    dataset = tiny_dataset(workplace / "images", again=False)
    path = dataset.path("0007.png")
    assert exported.predict_file(path).equals(trained.predict_file(path))
    assert np.allclose(exported.predict(dataset), trained.predict(dataset), atol=1e-6)
    assert exported.history.equals(trained.history) and exported.recipe == trained.recipe


def test_an_exported_head_needs_no_other_file(workplace, monkeypatch):
    from cxr_utils.networks import models
    from cxr_utils.networks.backend import load_keras

    load_keras().utils.set_random_seed(3)
    source = workplace / "random.npz"
    weights.save(source, weights.collect(models.densenet121(32, 1, weights=None).layers))
    dataset = tiny_dataset(workplace / "images", again=False)
    recipe = Recipe("densenet121", 32, weights=str(source), trainable="head")
    head = fit.train(recipe, dataset)
    assert (head.folder / "weights.npz").stat().st_size < 30_000  # the cached form holds the logits only
    expected, files = head.predict(dataset), [dataset.path(name) for name in ("0001.png", "0002.png")]
    one = [head.predict_file(file) for file in files]
    moved = shutil.move(head.export(workplace / "head").folder, workplace / "elsewhere")
    source.unlink()
    alone = open_model(moved)
    assert all(alone.predict_file(file).equals(before) for file, before in zip(files, one, strict=True))
    assert np.allclose(alone.predict(dataset), expected, atol=1e-4)


def changed(exported, folder, **changes) -> str:
    shutil.copytree(exported.folder, folder)
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | changes))
    return folder


def test_a_network_of_other_labels_or_size_is_refused_with_both_stated(exported, tmp_path):
    with pytest.raises(RecipeError, match="for Mass, Nodule. Expected one for Nodule, Mass"):
        open_model(exported.folder, findings=("Nodule", "Mass"))
    with pytest.raises(RecipeError, match="images of 32 pixels. Expected one for 64"):
        open_model(exported.folder, size=64)
    assert open_model(exported.folder, findings=("Mass", "Nodule"), size=32).findings == ("Mass", "Nodule")
    three = changed(exported, tmp_path / "three", findings=["Mass", "Nodule", "Hernia"])
    with pytest.raises(RecipeError, match=r"has \(128, 2\) as logits/kernel.*\(128, 3\)"):
        _ = open_model(three).model
    larger = {"recipe": exported.card["recipe"] | {"size": 64}, "preprocessing": PREPROCESSING | {"size": 64}}
    with pytest.raises(RecipeError, match=r"has \(2048, 128\) as dense/kernel.*\(8192, 128\)"):
        _ = open_model(changed(exported, tmp_path / "larger", **larger)).model


def test_a_damaged_or_unknown_network_is_refused(exported, tmp_path):
    other = changed(exported, tmp_path / "other", preprocessing=exported.card["preprocessing"] | {"version": 99})
    with pytest.raises(RecipeError, match="'version': 99.*Expected .*'version': 1"):
        open_model(other)
    with pytest.raises(RecipeError, match="card.json cannot be understood.*size"):
        open_model(changed(exported, tmp_path / "size", preprocessing=PREPROCESSING | {"size": 64}))
    with pytest.raises(RecipeError, match="card.json cannot be understood.*surprise"):
        open_model(changed(exported, tmp_path / "field", recipe=exported.card["recipe"] | {"surprise": 1}))
    half = changed(exported, tmp_path / "half")
    content = (half / "weights.npz").read_bytes()
    (half / "weights.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(RecipeError, match="is damaged: weights.npz is not the file"):
        open_model(half)
    (half / "weights.npz").unlink()
    with pytest.raises(RecipeError, match="it has no weights.npz"):
        open_model(half)
    (half / "card.json").write_text("{")
    (half / "weights.npz").write_bytes(content)
    with pytest.raises(RecipeError, match="card.json cannot be understood"):
        open_model(half)


def test_export_replaces_a_network_and_nothing_else(exported, trained, workplace):
    assert trained.export(exported.folder).folder == exported.folder
    precious = workplace / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("all of it")
    with pytest.raises(RecipeError, match="precious exists and is no trained network"):
        trained.export(precious)
    assert (precious / "thesis.txt").exists()


def test_two_exports_to_one_folder_at_once(trained, workplace, monkeypatch):
    """The other one puts its network there after this one has made room and before it takes the name."""
    rename, target, others = Path.rename, workplace / "raced", []

    def late(self, name):
        if Path(name) == target and not others:
            others.append(shutil.copytree(self, target))
        return rename(self, name)

    monkeypatch.setattr(Path, "rename", late)
    shared = trained.export(target)
    monkeypatch.undo()
    assert others and open_model(target).card == shared.card and not list(workplace.glob(".raced.*"))


def test_an_interrupted_export_leaves_what_was_there(trained, workplace, monkeypatch):
    target = workplace / "kept"
    before = trained.export(target).card
    monkeypatch.setattr(weights, "save", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        trained.export(target)
    assert Trained(target).card == before and not list(workplace.glob(".kept.*"))
