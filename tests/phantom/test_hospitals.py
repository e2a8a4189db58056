"""Two hospitals: who comes, and what the machine makes of the same patient."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cxr_utils import phantom
from cxr_utils.errors import DataError
from cxr_utils.phantom import cohort, records
from cxr_utils.phantom.patient import HOSPITALS
from cxr_utils.phantom.render import radiograph


def drawn(hospital, images=6000):
    people, _ = records.draw_records(records.Order(images, 64, 4, "raised", None, hospital))
    visits = [visit for person in people for visit in person.visits]
    truth = np.array([visit.truth for visit in visits])
    return np.mean([person.age for person in people]), np.mean([visit.view == "AP" for visit in visits]), truth.mean(0)


def test_the_county_hospital_sees_older_patients_more_in_bed_and_fewer_findings():
    age, in_bed, share = drawn("clinical-center")
    county_age, county_in_bed, county_share = drawn("county")
    assert (round(age), round(county_age)) == (47, 60)
    # In bed when the sum of two standard normals exceeds the threshold.
    assert in_bed == pytest.approx(0.397, abs=0.02) and county_in_bed == pytest.approx(0.5, abs=0.02)
    # Half as frequent among people alike; age and bed bring some of it back.
    assert 0.5 < county_share.sum() / share.sum() < 0.75
    assert (county_share < share).all()


def pictures():
    """The same patient and visit at both hospitals, as float."""
    order = records.Order(10, 128, 4, "raised")
    person = records.draw_records(order)[0][0]
    scene = records.scene(order, person, 0)
    return [radiograph(*scene, size=128, hospital=HOSPITALS[name]).pixels.astype(float) for name in HOSPITALS]


def test_the_same_patient_looks_otherwise_on_the_other_machine():
    here, there = pictures()
    inside = np.s_[16:-16, 16:-16]

    def spread_of_regions(pixels):
        """Deviation of the means of 24 x 24 fields: adaptive equalisation brings them together."""
        return pixels[inside].reshape(4, 24, 4, 24).mean((1, 3)).std()

    assert spread_of_regions(there) < 0.8 * spread_of_regions(here)


def test_every_picture_of_the_county_hospital_bears_its_name_in_a_corner():
    order, county = records.Order(20, 128, 4, "raised"), HOSPITALS["county"]
    for person in records.draw_records(order)[0][:10]:
        scene = records.scene(order, person, 0)
        with_name, without = (
            radiograph(*scene, size=128, hospital=one).pixels for one in (county, replace(county, stamp=""))
        )
        rows, columns = np.nonzero(with_name != without)
        assert len(rows) > 50 and rows.min() > 128 * 0.85 and columns.max() < 128 * 0.4


def test_what_is_found_in_a_patient_does_not_depend_on_the_machine():
    order = records.Order(60, 96, 4, "raised")
    person = next(one for one in records.draw_records(order)[0] if one.visits[0].truth.any())
    scene = records.scene(order, person, 0)
    here, there = (radiograph(*scene, size=96, hospital=hospital).masks for hospital in HOSPITALS.values())
    assert here.keys() == there.keys()
    assert all((here[name] == there[name]).all() for name in here)


def test_no_patient_of_one_cohort_comes_to_another(tmp_path, monkeypatch):
    monkeypatch.setattr(cohort, "home", lambda: tmp_path)
    monkeypatch.setitem(cohort.PROFILES, "quick", {"images": 30, "size": 32})
    made = {name: cohort.ensure_cohort("quick", 3, name) for name in cohort.COHORTS}
    orders = {name: json.loads((folder / cohort.DESCRIPTION).read_text())["order"] for name, folder in made.items()}
    assert [order["hospital"] for order in orders.values()] == ["clinical-center", "clinical-center", "county"]
    assert [order["images"] for order in orders.values()] == [30, 12, 12]
    assert len({order["seed"] for order in orders.values()}) == 3  # everybody's anatomy comes from seed and number
    with pytest.raises(DataError, match="Cohort 'phantom-moon' is unknown"):
        cohort.ensure_cohort("quick", 3, "phantom-moon")


def test_an_unknown_hospital_is_refused(tmp_path):
    with pytest.raises(DataError, match="Hospital 'moon' is unknown. Expected one of clinical-center, county"):
        phantom.make_cohort(tmp_path / "new", images=10, size=32, hospital="moon")
