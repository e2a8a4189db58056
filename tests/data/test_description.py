"""What a `dataset.toml` says and what is guessed: columns, cells, parts."""

import pandas as pd
import pytest

from cxr_utils.data.opening import open_dataset
from cxr_utils.data.readers.description import Description, from_toml, guess, to_toml
from cxr_utils.data.readers.files import look
from cxr_utils.data.readers.recognition import read
from cxr_utils.data.readers.tables import blank, guessed
from cxr_utils.errors import DataError

FULL = Description(
    tables={"a.csv": "train", "b/c.tsv": ""},
    image="the name",
    labels=("Mass", "EP"),
    patient="who",
    split="where",
    age="age",
    sex="sex",
    view="view",
    follow_up="visit",
    positive=("ja",),
    negative=("nein",),
    uncertain=("vielleicht",),
    healthy=("ohne Befund",),
    keep={"Frontal/Lateral": ("Frontal", "AP")},
    parts={"0": "train", "1": "test"},
    names={"EP": "Effusion"},
)


def write(root, text, *pictures, name="all.csv"):
    (root / name).write_text(text, encoding="utf-8")
    for picture in pictures:
        (root / picture).parent.mkdir(parents=True, exist_ok=True)
        (root / picture).touch()
    return look(root)


def test_a_description_is_written_and_read_back():
    assert from_toml(to_toml(FULL), "it") == FULL


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tables = [", "dataset.toml is no TOML"),
        ('tables = ["a.csv"]\nimage = "x"', "dataset.toml lacks labels. Expected tables, image and labels"),
        ('tables = ["a.csv"]\nimage = "x"\nlabels = ["y"]\ncolour = "z"', "dataset.toml has colour. Expected"),
        ('tables = ["a.csv"]\nimage = 3\nlabels = ["y"]', "image is 3 in dataset.toml. Expected a text"),
        ('tables = ["a.csv"]\nimage = "x"\nlabels = "y"', "labels is 'y' in dataset.toml. Expected a list of texts"),
        (
            'tables = ["a.csv"]\nimage = "x"\nlabels = ["y"]\n[keep]\nv = "w"',
            "keep.v is 'w' .*Expected a list of texts",
        ),
    ],
)
def test_a_description_that_is_none_is_refused(text, told):
    with pytest.raises(DataError, match=told):
        from_toml(text, "dataset.toml")


def test_a_table_is_read_as_it_is_described(tmp_path):
    rows = [
        "the name,who,where,age,sex,view,visit,Frontal/Lateral,Mass,EP,rest",
        "x1.png,p1,0,3 years,F,PA,0,Frontal,ja,nein,1",
        "x2.png,p1,0,4,F,PA,1,Lateral,ja,ja,1",
        "x3.png,p2,1,050Y,M,AP,0,AP,vielleicht,ja,1",
        "x4.png,p3,0,6,M,AP,0,AP,nein,,1",
    ]
    folder = write(tmp_path, "\n".join(rows), "pictures/x1.png", "pictures/x3.png")
    text = to_toml(FULL).replace('"a.csv" = "train"', '"all.csv" = ""').replace('"b/c.tsv" = ""\n', "")
    (tmp_path / "dataset.toml").write_text(text)
    contents = read(folder)
    table = contents.table.set_index("image")
    assert contents.kind == "dataset.toml" and contents.findings == ("Effusion", "Mass")
    assert table.index.tolist() == ["x1.png", "x3.png", "x4.png"]
    assert table["patient"].tolist() == ["p1", "p2", "p3"] and table["split"].tolist()[:2] == ["train", "test"]
    assert table["Mass"].astype(object).where(table["Mass"].notna(), None).tolist() == [1, None, 0]
    assert table["Effusion"].astype(object).where(table["Effusion"].notna(), None).tolist() == [0, 1, None]
    assert table["age"].tolist() == [3, 50, 6] and table["view"].tolist() == ["PA", "AP", "AP"]
    assert set(contents.files) == {"x1.png", "x3.png"}
    assert contents.notes[0] == "1 of 4 rows are left out, whose Frontal/Lateral is not Frontal or AP."
    (positive,) = read(folder, "positive").table.query("image == 'x3.png'")["Mass"]
    assert positive == 1


@pytest.mark.parametrize("table", ["../secret.csv", "/etc/passwd", "a/../../b.csv"])
def test_no_table_lies_outside_the_folder(tmp_path, table):
    folder = write(tmp_path, f'tables = ["{table}"]\nimage = "x"\nlabels = ["y"]', name="dataset.toml")
    with pytest.raises(DataError, match="Expected one below"):
        read(folder)


def test_a_word_of_the_split_column_that_means_no_part_is_named(tmp_path):
    folder = write(tmp_path, "image,patient,fold,Mass\na.png,1,train,0\nb.png,2,7,1\n", "a.png")
    with pytest.raises(DataError, match=r"Column fold holds '7'. Expected train, valid or test.*\[parts\]"):
        read(folder)


@pytest.mark.parametrize(
    ("header", "cells", "wanted"),
    [
        ("Image Index,PatientId,Mass,Edema", "a.png,1,0,1", ("Image Index", "PatientId", ("Mass", "Edema"), "")),
        ("filename,label", "a.png,Mass|Edema", ("filename", "", ("label",), "|")),
        ("filename,Finding Labels", 'a.png,"Mass, Edema"', ("filename", "", ("Finding Labels",), ",")),
        ("ID,notes,Diagnosis", "a.png,none,Pneumonia", ("ID", "", ("Diagnosis",), "|")),
        ("path,subject_id,Pleural Effusion,No Finding,size", "x/a.png,9,1,0,512",
         ("path", "subject_id", ("Pleural Effusion", "No Finding"), "")),
        ("file,tuberculosis", "a.png,1", ("file", "", ("tuberculosis",), "")),
    ],
)  # fmt: skip
def test_columns_are_guessed_from_names_and_cells(tmp_path, header, cells, wanted):
    folder = write(tmp_path, f"{header}\n{cells}\n", "x/a.png")
    how = guess(folder, ["all.csv"])
    assert (how.image, how.patient, how.labels, how.separators) == wanted


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "filename,size\na.png,512\n", "filename\na.png\n"])
def test_a_table_without_pictures_or_labels_is_no_guess_but_can_be_filled_in(tmp_path, text):
    folder = write(tmp_path, text, "a.png")
    assert guessed(folder) is None
    assert from_toml(to_toml(blank(folder)), "it").tables == {"all.csv": ""}


def test_two_tables_that_could_be_the_one_are_refused(tmp_path):
    write(tmp_path, "image,Mass\na.png,1\n", "a.png")
    folder = write(tmp_path, "image,Mass\na.png,0\n", name="other.csv")
    with pytest.raises(DataError, match="all.csv and other.csv in .* could each describe the pictures"):
        guessed(folder)


def test_a_table_beside_pictures_of_which_it_has_many_more(tmp_path, capsys):
    """A ground truth with names, labels, age and gender; few of its rows have a picture."""
    rows = ["name,labels,age,gender"] + [
        f"{n:08}_000.png,{'Mass|Nodule' if n % 3 == 0 else 'No Finding' if n % 3 == 1 else 'Effusion'},{20 + n % 50},F"
        for n in range(900)
    ]
    write(tmp_path, "\n".join(rows), *(f"xrays/{n:08}_000.png" for n in range(0, 900, 30)), name="ground_truth.csv")
    data = open_dataset(tmp_path)
    told = capsys.readouterr().out
    here = data.with_images()
    assert (data.kind, len(data), len(here), data.findings) == ("table", 900, 30, ("Effusion", "Mass", "Nodule"))
    assert here.table["Mass"].sum() == 30 and here.patients.tolist() == [str(n) for n in range(0, 900, 30)]
    assert data.table["age"].tolist() == [20 + n % 50 for n in range(900)] and (data.table["sex"] == "F").all()
    assert "no valid and no test part was found" in told


def test_labels_in_cells_are_renamed_before_they_are_known(tmp_path):
    folder = write(tmp_path, "image,patient,Befund\na.png,1,PTX/Erguss\nb.png,2,oB\nc.png,3,\nd.png,4,PTX\n")
    how = 'tables = ["all.csv"]\nimage = "image"\nlabels = ["Befund"]\nseparators = "/"\npatient = "patient"\n'
    (tmp_path / "dataset.toml").write_text(
        how + 'healthy = ["oB"]\n[names]\nPTX = "Pneumothorax"\nErguss = "Effusion"\n'
    )
    contents = read(folder)
    assert contents.findings == ("Effusion", "Pneumothorax")
    table = contents.table.set_index("image")[list(contents.findings)]
    assert table.loc[list(f"{name}.png" for name in "abcd")].to_numpy().tolist() == [[1, 1], [0, 0], [0, 0], [0, 1]]


def test_labels_of_a_table_are_not_taken_from_folders(tmp_path):
    rows = "image,patient,Mass\n" + "".join(f"{kind}/{n}.png,{kind}{n},{n % 2}\n" for kind in "ab" for n in range(10))
    pictures = [f"{kind}/{n}.png" for kind in "ab" for n in range(10)]
    data = open_dataset(write(tmp_path, rows, *pictures).root)
    assert data.findings == ("Mass",) and data.labels.sum() == 10 and data.on_disk().all()


def test_the_first_guess_is_as_good_as_no_description(tmp_path):
    rows = "image,patient,age,Mass,Pleural effusion\n" + "".join(f"{n}.png,{n // 2},{n},{n % 2},\n" for n in range(40))
    folder = write(tmp_path, rows, *(f"{n}.png" for n in range(40)))
    before = read(folder).table
    (tmp_path / "dataset.toml").write_text(to_toml(guessed(folder)))
    after = read(look(tmp_path))
    assert after.kind == "dataset.toml"
    pd.testing.assert_frame_equal(after.table, before)
