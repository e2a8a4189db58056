"""The tables of many trainings that lessons read are those that their script would write."""

import importlib.util
from itertools import combinations

import pandas as pd
import pytest
from toy_course import REPOSITORY

from cxr_utils import evaluation
from cxr_utils.errors import DataError

SPEC = importlib.util.spec_from_file_location("measure_recipes", REPOSITORY / "benchmarks" / "measure_recipes.py")
measure_recipes = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(measure_recipes)
PLANS = measure_recipes.plans()


@pytest.mark.parametrize("name", PLANS)
def test_every_training_and_every_pair_of_the_plan_is_there_once(name):
    plan, trainings, pairs = PLANS[name], evaluation.measured(name), evaluation.measured(f"{name}_pairs")
    asked = [(recipe, number) for recipe in plan.recipes for number in range(plan.trainings)]
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


def test_another_hospital_is_measured_as_its_script_says():
    """Every training of the plan once, and the differences on the same patients are those of the areas."""
    path = REPOSITORY / "benchmarks" / "measure_hospitals.py"
    spec = importlib.util.spec_from_file_location("measure_hospitals", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    areas, pairs = evaluation.measured("hospitals"), evaluation.measured("hospitals_pairs")
    asked = [(name, one) for name, (_, _, trainings) in script.PLAN.items() for one in range(trainings)]
    assert list(zip(areas["recipe"], areas["training"], strict=True)) == asked
    areas = areas.set_index(["recipe", "training"])
    for one, other in script.PAIRS:
        own = pairs[(pairs["set"] == one) & (pairs["less"] == other)].set_index(["recipe", "training"])
        assert own.index.tolist() == asked and own["difference"].between(own["low"], own["high"]).all()
        assert (own["difference"] - (areas[one] - areas[other])).abs().max() < 2e-4
