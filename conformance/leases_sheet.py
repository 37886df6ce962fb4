"""What stands in an Excel file, read as ECMA-376 describes it, with nothing but readers of ZIP and of XML."""

import re
import xml.etree.ElementTree as tree
import zipfile

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
# The number formats that the standard itself keeps for dates and times.
DATES = {*range(14, 23), *range(45, 48)}


class Workbook:
    """The sheets by name."""

    def __init__(self, path):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            self.parts = {name: archive.read(name) for name in archive.namelist()}
        self.shared = ["".join(text.itertext()) for text in self.part("xl/sharedStrings.xml").iter(MAIN + "si")]
        self.formats = self.read_formats()
        links = {link.get("Id"): link.get("Target") for link in self.part("xl/_rels/workbook.xml.rels")}
        self.sheets = {}
        for one in self.part("xl/workbook.xml").iter(MAIN + "sheet"):
            self.sheets[one.get("name")] = Sheet(self, "xl/" + links[one.get(LINK)].removeprefix("/xl/"))

    def part(self, name):
        return tree.fromstring(self.parts[name]) if name in self.parts else tree.Element("none")

    def read_formats(self):
        """Of each style its number format: `date`, or another."""
        styles = self.part("xl/styles.xml")
        dates = set(DATES)
        for one in styles.iter(MAIN + "numFmt"):
            if re.search(r"[ymdhs]", re.sub(r'"[^"]*"|\[[^\]]*\]', "", one.get("formatCode").lower())):
                dates.add(int(one.get("numFmtId")))
        cells = styles.find(MAIN + "cellXfs")
        return ["date" if int(one.get("numFmtId", 0)) in dates else "other" for one in cells]


class Sheet:
    """Rows of cells: text as str, numbers as float, dates as ("date", number), truth as bool."""

    def __init__(self, book, part):
        root = book.part(part)
        self.rows = [self.cells(book, row) for row in root.iter(MAIN + "row")]
        filtered = root.find(MAIN + "autoFilter")
        # A sheet whose filter belongs to a table names it there.
        tables = [book.part(name) for name in book.parts if name.startswith("xl/tables/")]
        self.has_filter = filtered is not None or any(table.find(MAIN + "autoFilter") is not None for table in tables)
        self.frozen = [pane.get("state") for pane in root.iter(MAIN + "pane")]
        self.formulas = sum(1 for _ in root.iter(MAIN + "f"))

    @staticmethod
    def cells(book, row):
        found = {}
        for cell in row.iter(MAIN + "c"):
            column = re.match(r"[A-Z]+", cell.get("r")).group()
            kind, value = cell.get("t", "n"), cell.findtext(MAIN + "v")
            if kind == "inlineStr":
                found[column] = "".join(cell.find(MAIN + "is").itertext())
            elif value is None:
                continue
            elif kind == "s":
                found[column] = book.shared[int(value)]
            elif kind == "b":
                found[column] = value == "1"
            elif kind == "n":
                number = float(value)
                found[column] = ("date", number) if book.formats[int(cell.get("s", 0))] == "date" else number
            else:
                found[column] = value
        return found

    def texts(self):
        return {value for row in self.rows for value in row.values() if isinstance(value, str)}

    def row_of(self, text):
        """The first row in which a cell says exactly this."""
        return next(row for row in self.rows if text in row.values())
