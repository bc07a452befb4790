"""CSV text: the same as that of the csv module and of pandas, with decimals where requested."""

from __future__ import annotations

import csv
import io
import math

import pandas as pd
import pytest

from sightline.io.csv_files import csv_text, to_csv

RECORDS = [
    {"name": 'a, "b"', "value": 0.1 + 0.2, "count": 3, "note": "two\nlines"},
    {"name": "ü", "value": math.pi, "count": -1, "note": None},
]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_records_are_written_as_by_the_csv_module(line_end: str) -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(RECORDS[0]), lineterminator=line_end)
    writer.writeheader()
    writer.writerows(RECORDS)
    assert to_csv(RECORDS, None, line_end=line_end) == out.getvalue()
    rows = [list(record.values()) for record in RECORDS]
    assert csv_text(list(RECORDS[0]), rows, line_end=line_end) == out.getvalue()


def test_records_are_written_as_by_pandas() -> None:
    records = [{"split": "train", "id": "a,b", "reason": 'a "bad" file\nof two lines'}]
    assert to_csv(records, decimals=None) == pd.DataFrame(records).to_csv(index=False)


def test_decimals_are_of_floats_and_an_undefined_one_is_empty() -> None:
    rows = [{"a": 0.12345678, "b": math.nan, "c": 7, "d": "x"}]
    assert to_csv(rows) == "a,b,c,d\n0.123457,,7,x\n"
    assert to_csv(rows, decimals=None) == "a,b,c,d\n0.12345678,nan,7,x\n"


def test_columns_are_those_of_the_first_record() -> None:
    assert to_csv([{"a": 1, "b": 2}, {"b": 3}]) == "a,b\n1,2\n,3\n"
    with pytest.raises(ValueError, match=r"but got \['c'\] too"):
        to_csv([{"a": 1}, {"a": 2, "c": 3}])
