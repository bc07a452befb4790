"""CSV text: the same as that of the csv module and of pandas, with decimals where requested."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from sightline.data.tables.files import read_table
from sightline.inference.table_files import write_table
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


TEXTS = (
    "=1+1", "+cmd|' /C calc'!A0", "-x", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''@x", "-2+3+cmd|'x'!A",
    "plain", "'quoted'", "", "a=b", "-0.5", "+1e-3", "-0.012 [-0.03, 0.01]", "-inf", "+0.5 ± 0.1 %",
)  # fmt: skip
NUMBERS = ("-0.5", "+1e-3", "-0.012 [-0.03, 0.01]", "-inf", "+0.5 ± 0.1 %")


def test_no_cell_is_a_formula_and_reading_gives_what_was_written(tmp_path: Path) -> None:
    columns = ["name", "=HYPERLINK(1)"]
    text = csv_text(columns, [(each, -0.5) for each in TEXTS])
    header, *cells = csv.reader(io.StringIO(text, newline=""))
    assert header[1] == "'=HYPERLINK(1)"
    for (cell, number), each in zip(cells, TEXTS, strict=True):
        assert number == "-0.5"
        assert not cell or cell[0] not in "=+-@\t\r" or each in NUMBERS
        assert cell == each or cell == f"'{each}"
    arrow = pa.table({"name": list(TEXTS), "=HYPERLINK(1)": ["-0.5"] * len(TEXTS)})
    write_table(tmp_path / "arrow.csv", arrow.schema, arrow.to_batches())
    (tmp_path / "text.csv").write_bytes(text.encode())
    written = list(
        csv.reader(io.StringIO((tmp_path / "arrow.csv").read_bytes().decode(), newline=""))
    )
    assert [row[0] for row in written[1:]] == [row[0] for row in cells]
    for name in ("arrow.csv", "text.csv"):
        assert read_table(tmp_path / name).to_pydict() == arrow.to_pydict(), name
