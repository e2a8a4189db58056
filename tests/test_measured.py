"""The tables of many trainings that lessons read are those that their script would write."""

import importlib.util
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from toy_course import REPOSITORY

from cxr_utils import evaluation
from cxr_utils.errors import DataError
from cxr_utils.phantom.labels import MINED


def script(name):
    """A program of `benchmarks` as a module."""
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


measure_recipes, measure_labels = script("measure_recipes"), script("measure_labels")
PLANS = measure_recipes.plans()


@pytest.mark.parametrize("name", PLANS)
def test_every_training_and_every_pair_of_the_plan_is_there_once(name):
    plan, trainings, pairs = PLANS[name], evaluation.measured(name), evaluation.measured(f"{name}_pairs")
    asked = [(recipe, number) for recipe in plan.recipes for number in range(plan.trainings)]
    asked += [("no pixels", 0)] if plan.any_finding else []
    assert list(zip(trainings["recipe"], trainings["training"], strict=True)) == asked
    columns = ["recipe", "training", "less_recipe", "less_training"]
    there = [((row[0], row[1]), (row[2], row[3])) for row in pairs[columns].itertuples(index=False)]
    assert there == list(plan.pairs())
    assert pairs["difference"].between(pairs["low"], pairs["high"]).all()


@pytest.mark.parametrize("name", PLANS)
def test_differences_are_those_of_the_trainings(name):
    """Means of AUCs subtract: a pair's difference is that of its two rows, whatever is resampled for its interval."""
    areas = evaluation.measured(name).set_index(["recipe", "training"])["auc"]
    pairs = evaluation.measured(f"{name}_pairs")
    first = areas.loc[list(zip(pairs["recipe"], pairs["training"], strict=True))].to_numpy()
    second = areas.loc[list(zip(pairs["less_recipe"], pairs["less_training"], strict=True))].to_numpy()
    assert (pairs["difference"] - (first - second)).abs().max() < 2e-4  # figures of four digits


def test_a_plan_pairs_each_recipe_with_the_first_and_trainings_of_one_among_themselves():
    plan = measure_recipes.Plan({"plain": None, "other": None}, trainings=3, same=("plain",))
    across = [(("other", number), ("plain", number)) for number in range(3)]
    among = [(("plain", two), ("plain", one)) for one, two in combinations(range(3), 2)]
    assert list(plan.pairs()) == across + among


def test_a_table_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(DataError, match="no table 'loses'.*augmentation, .*losses"):
        evaluation.measured("loses")


def test_the_script_writes_what_lessons_read(tmp_path, monkeypatch, capsys):
    rows = pd.DataFrame({"recipe": ["plain"], "training": [0], "auc": [0.123456]})
    monkeypatch.setattr(
        measure_recipes, "open_dataset", lambda *given, **options: type("D", (), {"with_images": list})()
    )
    monkeypatch.setattr(measure_recipes, "measure", lambda plan, dataset: (rows, rows[["recipe"]]))
    monkeypatch.setattr("sys.argv", ["measure_recipes.py", "losses", "--folder", str(tmp_path)])
    measure_recipes.main()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["losses.csv", "losses_pairs.csv"]
    assert pd.read_csv(tmp_path / "losses.csv").loc[0, "auc"] == 0.1235
    monkeypatch.setattr("sys.argv", ["measure_recipes.py", "loses"])
    with pytest.raises(SystemExit):
        measure_recipes.main()
    assert "loses cannot be measured. Expected names out of losses" in capsys.readouterr().err


def test_ensembles_of_one_size_share_no_member_and_stand_in_the_table():
    measure_ensembles = script("measure_ensembles")
    assert [*measure_ensembles.apart(10, 3)] == [(0, 1, 2), (3, 4, 5), (6, 7, 8)]
    table = evaluation.measured("ensembles")
    asked = [
        (size, " ".join(map(str, members)))
        for size in measure_ensembles.SIZES
        for members in measure_ensembles.apart(measure_ensembles.TRAININGS, size)
    ]
    assert list(zip(table["size"], table["members"], strict=True)) == asked


def test_single_trainings_of_the_ensembles_are_those_of_the_other_tables():
    single = evaluation.measured("ensembles").query("size == 1")
    losses = evaluation.measured("losses").query("recipe == 'plain'")
    assert (single["auc"].to_numpy() == losses["auc"].to_numpy()).all() and (
        single["auc"] == single["members_auc"]
    ).all()
    mean = evaluation.measured("fresh").query("finding == 'mean'")
    assert (mean["test"].to_numpy() == losses["auc"].to_numpy()).all()
    for _, row in evaluation.measured("ensembles").iterrows():
        own = single["auc"].iloc[[int(one) for one in row["members"].split()]]
        assert abs(row["members_auc"] - own.mean()) < 2e-4 and row["best_member_auc"] == own.max()
        assert row["brier"] <= row["members_brier"]
    by_finding = evaluation.measured("fresh").pivot(index="finding", columns="training", values="later")
    assert (by_finding.drop("mean").mean() - by_finding.loc["mean"]).abs().max() < 2e-4


def test_every_set_of_labels_has_taught_and_judged_once():
    table, doses = evaluation.measured("labels"), measure_labels.ERRORS
    keys = ["recipe", "errors_in_training", "errors_in_judging", "training"]
    fives = range(measure_labels.TRAININGS)
    asked = set(product(measure_labels.recipes(), doses, doses, fives))
    asked |= set(product([measure_labels.PERFECT], [0], doses, fives))
    asked |= set(product([measure_labels.CHOSEN], doses, [0], fives))
    assert not table.duplicated(keys).any() and set(table[keys].itertuples(index=False, name=None)) == asked
    perfect = table[table["recipe"] == measure_labels.PERFECT]
    assert (perfect["auc"] - perfect["by_formula"]).abs().max() < 2e-4  # of the truth the formula is no guess
    first = table[table["errors_in_judging"] == 0]
    assert (first["auc"] - first["by_formula"]).abs().max() < 2e-4


def test_uncertain_labels_were_treated_in_every_way():
    table = evaluation.measured("uncertain")
    ways = set(product(("hedged", "hurried"), measure_labels.WAYS, range(measure_labels.TRAININGS)))
    ways |= {("hedged", "all known", 0), ("hurried", "all known", 0)}
    keys = list(table[["rule", "way", "training"]].itertuples(index=False, name=None))
    assert len(keys) == len(ways) and set(keys) == ways


def mined_by_script(errors, severity=0.5, images=20_000):
    """Truth and labels of images of one patient each, half of them with the finding."""
    truth = pd.DataFrame({"Mass": np.arange(images) % 2, "Nodule": np.arange(images) % 2})
    severe = pd.DataFrame(severity, truth.index, truth.columns)
    return truth, measure_labels.mined(truth, severe, np.arange(images), errors, seed=1)


@pytest.mark.parametrize("errors", [0, 1, 3])
def test_the_script_mines_with_so_many_times_the_errors_of_the_simulator(errors):
    truth, labels = mined_by_script(errors)
    for name in truth:
        sensitivity, specificity = MINED[name]
        missed, false = 1 - labels[name][truth[name] == 1].mean(), labels[name][truth[name] == 0].mean()
        assert missed == pytest.approx(errors * (1 - sensitivity), abs=0.02)  # at a severity of one half
        assert false == pytest.approx(errors * (1 - specificity), abs=0.01)


def test_the_script_misses_the_slight_and_repeats_itself_within_a_patient():
    (truth, slight), (_, severe) = mined_by_script(1, severity=0.0), mined_by_script(1, severity=1.0)
    rates = [1 - labels["Mass"][truth["Mass"] == 1].mean() for labels in (slight, severe)]
    assert rates == pytest.approx([0.15 * 1.6, 0.15 * 0.4], abs=0.02)
    ones = pd.DataFrame({"Mass": np.ones(20_000, int)})
    labels = measure_labels.mined(ones, ones * 0.5, np.arange(20_000) // 2, 1, seed=0)["Mass"].to_numpy()
    both = (labels[::2] == 0) & (labels[1::2] == 0)
    assert both.mean() == pytest.approx(0.15 * (0.25 + 0.75 * 0.15), abs=0.01)  # the same luck in one of four pairs


def test_the_script_s_hedges_hit_slight_positives_and_its_haste_hits_anything():
    truth = pd.DataFrame({"Mass": np.arange(30_000) % 3 > 0}).astype(int)
    severity = pd.DataFrame({"Mass": np.where(np.arange(30_000) % 3 == 1, 0.2, 0.8) * truth["Mass"]})
    kinds = np.arange(30_000) % 3  # without it, slight, severe
    hedged, hurried = (measure_labels.uncertain(truth, severity, rule, 0)[:, 0] for rule in ("hedged", "hurried"))
    assert [hedged[kinds == kind].mean() for kind in range(3)] == pytest.approx([0.02, 0.7, 0.02], abs=0.02)
    assert [hurried[kinds == kind].mean() for kind in range(3)] == pytest.approx([0.1] * 3, abs=0.02)


def test_another_hospital_is_measured_as_its_script_says():
    """Every training of the plan once, and the differences on the same patients are those of the areas."""
    measure_hospitals = script("measure_hospitals")
    areas, pairs = evaluation.measured("hospitals"), evaluation.measured("hospitals_pairs")
    asked = [(name, one) for name, (_, _, trainings) in measure_hospitals.PLAN.items() for one in range(trainings)]
    assert list(zip(areas["recipe"], areas["training"], strict=True)) == asked
    areas = areas.set_index(["recipe", "training"])
    for one, other in measure_hospitals.PAIRS:
        own = pairs[(pairs["set"] == one) & (pairs["less"] == other)].set_index(["recipe", "training"])
        assert own.index.tolist() == asked and own["difference"].between(own["low"], own["high"]).all()
        assert (own["difference"] - (areas[one] - areas[other])).abs().max() < 2e-4
