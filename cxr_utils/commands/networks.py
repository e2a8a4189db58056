"""`cxr train`, `cxr pretrain`, `cxr predict` and `cxr explain`: make a network, and ask it about files."""

import json as jsonlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cxr_utils.commands.options import AsJson, Profile, Uncertain, UncertainLabel, refuse_unwritable
from cxr_utils.errors import CxrError, RecipeError

if TYPE_CHECKING:
    from cxr_utils.networks.trained import Trained

#: What `cxr predict` and `cxr explain` ask when no --model is given.
DEFAULT_RECIPE = "lite0-transfer"
Model = Annotated[
    Path | None,
    typer.Option(help=f"Folder that `cxr train` wrote; when not given, the course's own {DEFAULT_RECIPE}."),
]


def train(
    recipe: Annotated[str, typer.Option(help="Name of a recipe; a wrong one lists them.")],
    data: Annotated[str, typer.Option(help='"phantom", or a folder or table of X-rays.')] = "phantom",
    profile: Annotated[Profile, typer.Option(help="quick: two CPU cores; full: a GPU.")] = Profile.quick,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for the network; runs/models/NAME when not given.")] = None,
    devices: Annotated[str, typer.Option(help='How many devices, or "all"; see docs/training.md.')] = "1",
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a killed run stopped.")] = False,
    images: Annotated[
        int | None, typer.Option(help="Train on about so many, patients whole, and validate on as large a share.")
    ] = None,
    skip_corrupt: Annotated[bool, typer.Option("--skip-corrupt", help="Leave out damaged images.")] = False,
    uncertain: Uncertain = UncertainLabel.leave_out,
    tensorboard: Annotated[Path | None, typer.Option(help="Folder for TensorBoard's curves.")] = None,
    json: AsJson = False,
) -> None:
    """Train a network by a recipe and write it as a folder that needs nothing else.

    Examples:
      cxr train --recipe xray-vision                     on the data set that the course makes itself
      cxr train --recipe lite0-transfer --data ../shared/real/nih --seed 1 --out models/nih
      cxr train --recipe xray-vision --data /data/nih --images 5000      a random part of a large collection
      cxr train --recipe course --profile full --devices all --resume
    """
    from cxr_utils.data import splits
    from cxr_utils.data.opening import open_dataset
    from cxr_utils.networks import recipes
    from cxr_utils.training import devices as several
    from cxr_utils.training.fit import Options
    from cxr_utils.training.fit import train as run

    chosen = recipes.recipe(recipe, profile.value)
    part = "" if images is None else f"-images{images}"
    out = out or _home() / f"{recipe}-{Path(data).name}-{profile.value}-seed{seed}{part}"
    _refuse_place(out)
    several.prepare(devices)  # before Keras is imported
    dataset = open_dataset(data, profile=profile.value, seed=seed, uncertain=uncertain.value)
    if images is not None:
        dataset = splits.fewer_images(dataset.with_images(), images, seed)
    options = Options(not json, devices, resume, skip_corrupt, tensorboard)
    trained = run(chosen, dataset, seed, options=options)
    if several.cluster().worker:  # the first process writes
        return
    exported = trained.export(out)
    summary = _summary(exported)
    print(jsonlib.dumps(summary) if json else "\n".join(f"{key:9} {value}" for key, value in summary.items()))


def pretrain(
    judge: Annotated[
        list[Path] | None, typer.Option(help="A folder of real X-rays whose validation part chooses the epoch; repeat.")
    ] = None,
    rehearse: Annotated[bool, typer.Option("--rehearse", help="A handful of images, written below the cache.")] = False,
) -> None:
    """Make EfficientNet-Lite0's weights from simulation: hours on two cores. Stopped, it goes on when called again.

    Examples:
      cxr pretrain                                writes data/weights/efficientnet_lite0_simulated.npz and its record
      cxr pretrain --judge ../nih --judge ../kermany      of the last epochs, takes the one that is worth most on these
      cxr pretrain --rehearse                     the same on 80 images, elsewhere, to see that it runs
    """
    from cxr_utils import cache
    from cxr_utils.data.opening import open_dataset
    from cxr_utils.networks import weights
    from cxr_utils.training import pretraining

    judges = [open_dataset(folder).with_images() for folder in judge or ()]
    if rehearse:
        plan, target = pretraining.REHEARSAL, cache.root() / "rehearsal.npz"
    else:
        name = weights.simulated_path(pretraining.NETWORK).name
        plan, target = pretraining.PLAN, cache.home() / "data" / "weights" / name
    print(pretraining.ship(pretraining.pretrain(plan), target, judges))


def predict(
    files: Annotated[list[Path], typer.Argument(help="PNG, JPEG or DICOM files.")],
    model: Model = None,
    json: AsJson = False,
) -> None:
    """Print the probability of each finding in each file. For teaching, never for diagnosis.

    A file that cannot be read is named, the others are predicted, and the exit status is 1.

    Examples:
      cxr predict chest.png
      cxr predict *.dcm --model runs/models/xray-vision-phantom-quick-seed0 --json
    """
    trained = _chosen(model)
    records = [_predicted(trained, file) for file in files]
    read = [record for record in records if "error" not in record]
    failed = [record for record in records if "error" in record]
    if json or read:
        print(jsonlib.dumps(records) if json else _table(read))
    for record in failed:
        print(f"error: {record['error']}", file=sys.stderr)
    raise typer.Exit(1 if failed else 0)


def explain(
    file: Annotated[Path, typer.Argument(help="A PNG, JPEG or DICOM file.")],
    model: Model = None,
    finding: Annotated[str | None, typer.Option(help="What to explain; the most probable when not given.")] = None,
    out: Annotated[Path | None, typer.Option(help="PNG to write; FILE-explained.png when not given.")] = None,
    json: AsJson = False,
) -> None:
    """Draw a picture beside its heat map (Grad-CAM): what speaks for a finding, and how probable it is.

    Examples:
      cxr explain chest.png
      cxr explain chest.dcm --model models/nih --finding Effusion --out why.png
    """
    from cxr_utils import plots
    from cxr_utils.data import images
    from cxr_utils.heatmaps import gradcam

    trained = _chosen(model)
    probabilities = trained.predict_file(file)
    finding = _known(finding, trained) if finding else str(probabilities.idxmax())
    picture = images.load_image(file, trained.recipe.size)[None]
    heat = gradcam.grad_cam(trained.model, picture, [trained.findings.index(finding)])[0, 0]
    out = out or Path(f"{file.stem}-explained.png")
    try:
        plots.explanation(images.read_image(file), heat, finding).save(out)
    except OSError as error:
        raise CxrError(
            f"{out} cannot be written ({error.strerror}). Expected a place for a PNG. Choose --out."
        ) from None
    probability = float(probabilities[finding])
    if json:
        print(jsonlib.dumps({"file": str(file), "finding": finding, "probability": probability, "picture": str(out)}))
    else:
        print(f"{finding} {probability:.3f}  {out}")


def _home() -> Path:
    from cxr_utils.cache import home

    return home() / "runs" / "models"


def _refuse_place(out: Path) -> None:
    """What `Trained.export` would refuse, before hours of training."""
    refuse_unwritable(out, "--out")
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "card.json").exists())):
        raise RecipeError(
            f"{out} exists and is no trained network. Expected a new folder, or one that `cxr train` wrote. Choose "
            "another --out."
        )


def _summary(trained: "Trained") -> dict:
    kept, card = trained.kept, trained.card
    auc = float(kept["val_auc"])
    return {
        "model": str(trained.folder),
        "findings": card["findings"],
        "images": card["images"],
        "skipped": sorted(card["skipped"]),
        "weights": trained.weights_count,
        "epochs": int(trained.history["epoch"].max()),
        "val_loss": round(float(kept["val_loss"]), 4),
        "val_auc": round(auc, 4) if auc == auc else None,  # NaN where no finding has both classes
        "seconds": card["seconds"],
    }


def _chosen(folder: Path | None) -> "Trained":
    from cxr_utils.networks.trained import open_model

    if folder is not None:
        return open_model(folder)
    exported = _home() / f"{DEFAULT_RECIPE}-phantom-quick-seed0"
    trained = open_model(exported) if exported.exists() else _cached_default()
    if trained is None:
        raise RecipeError(
            f"No --model was given, and the course's own network has not been trained here. Expected a folder that "
            f"`cxr train` has written. Train one with: cxr train --recipe {DEFAULT_RECIPE}"
        )
    return trained


def _cached_default() -> "Trained | None":
    """What the lessons have trained, if they have; the simulated data set is not made to find that out."""
    from cxr_utils.cache import home

    if not (home() / "data" / "phantom" / "quick-seed0").exists():
        return None
    from cxr_utils.data.opening import open_dataset
    from cxr_utils.networks import recipes
    from cxr_utils.training.fit import cached

    return cached(recipes.recipe(DEFAULT_RECIPE), open_dataset("phantom"))


def _predicted(trained: "Trained", file: Path) -> dict:
    try:
        probabilities = trained.predict_file(file)
    except CxrError as error:
        return {"file": str(file), "error": str(error)}
    return {"file": str(file), "probabilities": {name: float(value) for name, value in probabilities.items()}}


def _table(records: list[dict]) -> str:
    """Findings down, files across: there are more findings than files, and their names are long."""
    from pandas import DataFrame

    names = [Path(record["file"]).name for record in records]
    return DataFrame([record["probabilities"] for record in records], names).T.to_string(float_format="{:.3f}".format)


def _known(finding: str, trained: "Trained") -> str:
    if finding not in trained.findings:
        raise RecipeError(
            f"--finding {finding!r} was asked for. Expected one of what the network knows: "
            f"{', '.join(trained.findings)}. Correct the name, or choose another --model."
        )
    return finding
