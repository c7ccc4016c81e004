"""The text of a workbook: sheet by sheet, a row a line, cells between tabs.

calamine holds the whole rectangle around a sheet's cells, and two cells in opposite corners end the process. So the
rectangle is measured first; a sheet that is beyond the limit is read cell by cell.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime, time
from io import BytesIO
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum

from infrastructure.extraction.formats.office import core_title, local_name, main_part, relations
from infrastructure.extraction.package import READ_BYTES, Package
from infrastructure.extraction.refusal import damaged, password_protected
from infrastructure.extraction.text_builder import TextBuilder, too_many_pages
from infrastructure.extraction.xml_parts import declares_dtd, events, tree

MAIN = "xl/workbook.xml"
# Each begins with what it looks for as it is, which is found much faster than a pattern. A writer with other quotes gets
# past them, and then comes to the limit of memory.
ROW_OR_WIDE = re.compile(rb' r="(?:([0-9]{1,7})"|[A-Z]{2})')
"""A row's number, or nothing for a cell beyond column Z."""
COLUMN = re.compile(rb' r="([A-Z]{1,3})[0-9]')
LONGEST_PLACE = 16
ROWS_AT_ONCE = 200


def read_xlsx(content: bytes, package: Package, text: TextBuilder) -> None:
    text.title = core_title(package)
    cells = _count_cells(package)
    if cells <= text.limits.sheet_cells:
        _read_whole(content, text)
    else:
        _read_cell_by_cell(package, text)


def _count_cells(package: Package) -> int:
    """Of the largest rectangle. Unpacks every part that calamine will, so that none unpacks too far there."""
    parts = [name for name in package.names if name.startswith("xl/") and name.endswith((".xml", ".rels", ".bin"))]
    return max((_rectangle_of(package, part) for part in parts), default=0)


def _rectangle_of(package: Package, part: str) -> int:
    is_sheet = part.startswith("xl/worksheets/")
    rows: list[int] = []
    columns = {b"A"}
    rest = b""
    with package.open(part) as stream:
        while chunk := stream.read(4 * READ_BYTES):
            if b"!" in chunk and b"<!DOCTYPE" in chunk:  # One byte is found in a tenth of the time, and is rare.
                raise declares_dtd()
            if is_sheet:
                chunk, rest = rest + chunk, chunk[-LONGEST_PLACE:]
                found = set(ROW_OR_WIDE.findall(chunk))
                columns |= set(COLUMN.findall(chunk)) if b"" in found else {b"Z"}
                if numbers := [int(row) for row in found if row]:
                    rows += (min(numbers), max(numbers))
    letters = [_number_of(column) for column in columns]
    return (max(rows) - min(rows) + 1) * max(letters) if rows else 0


def _number_of(column: bytes) -> int:
    number = 0
    for letter in column:
        number = number * 26 + letter - ord("A") + 1
    return number


def _read_whole(content: bytes, text: TextBuilder) -> None:
    try:
        workbook = CalamineWorkbook.from_filelike(BytesIO(content))
        sheets = [sheet for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
        if len(sheets) > text.limits.pages:
            raise too_many_pages(text.limits)
        for sheet in sheets:
            _begin_sheet(text, sheet.name)
            before = text.offset
            rows = workbook.get_sheet_by_name(sheet.name).to_python()
            for begin in range(0, len(rows), ROWS_AT_ONCE):
                text.append(_lines_of(rows[begin : begin + ROWS_AT_ONCE]))
            text.blank_pages += text.offset == before
    except PasswordError:
        raise password_protected() from None
    except CalamineError:
        raise damaged("Its sheets can't be read: save it again with the program that made it.") from None


def _begin_sheet(text: TextBuilder, name: str) -> None:
    text.page()
    text.heading(name, 1)


def _lines_of(rows: list[list[Any]]) -> str:
    """Column by column, because most have one type, and one call for each cell takes as long as reading the workbook."""
    columns = [_column_shown(column) for column in zip(*rows, strict=True)]
    lines = [line for row in zip(*columns, strict=True) if (line := "\t".join(row).rstrip("\t"))]
    return "\n".join([*lines, ""])


def _column_shown(column: tuple[Any, ...]) -> Iterable[str]:
    types = set(map(type, column))
    if types == {str}:
        return column
    if len(types) == 1 and len(distinct := set(column)) <= len(column) // 2:
        shown = {value: _shown(value) for value in distinct}
        return [shown[value] for value in column]
    return [value if type(value) is str else _shown(value) for value in column]


def _shown(value: object) -> str:
    """As a person would have typed it: calamine makes floats of all numbers."""
    if type(value) is float:
        return repr(value).removesuffix(".0")
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case datetime():
            return value.isoformat(sep=" ")
        case date() | time():
            return value.isoformat()
        case _:
            return str(value)


def _read_cell_by_cell(package: Package, text: TextBuilder) -> None:
    main = main_part(package, MAIN)
    related = relations(package, main)
    strings = next((_shared_strings(package, part) for kind, _, part in related if kind == "sharedStrings"), [])
    parts = {found: part for kind, found, part in related if kind == "worksheet"}
    for sheet in tree(package.read(main)).iter("{*}sheet"):
        part = parts.get(next((value for name, value in sheet.attrib.items() if name.endswith("}id")), ""))
        if part is None:
            continue
        _begin_sheet(text, sheet.get("name", ""))
        before = text.offset
        with package.open(part) as stream:
            for event, row in events(stream, ("{*}row",)):
                if event == "end":
                    _row_by_cell(row, strings, text)
                    row.clear()
        text.blank_pages += text.offset == before


def _row_by_cell(row: Any, strings: list[str], text: TextBuilder) -> None:
    values = [value for cell in row.iterchildren("{*}c") if (value := _cell(cell, strings))]
    if values:
        text.line("\t".join(values))


def _cell(cell: Any, strings: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return "".join(one.text or "" for one in cell.iter("{*}t"))
    value = next((one.text or "" for one in cell if local_name(one) == "v"), "")
    if cell.get("t") == "s":
        return strings[int(value)] if value.isdecimal() and int(value) < len(strings) else ""
    return value


def _shared_strings(package: Package, part: str) -> list[str]:
    if part not in package.names:
        return []
    strings = []
    with package.open(part) as stream:
        for event, item in events(stream, ("{*}si",)):
            if event == "end":
                strings.append("".join(one.text or "" for one in item.iter("{*}t")))
                item.clear()
    return strings
