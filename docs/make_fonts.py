# ruff: noqa: INP001, T201 - a script run by hand
"""Cut Noto Sans SC (黑体) and Noto Serif SC (body text) to GB 2312 and ASCII as TrueType. Run once, by hand.

npm pack @fontsource/noto-sans-sc @fontsource/noto-serif-sc
mkdir sans serif && tar xzf fontsource-noto-sans-sc-*.tgz -C sans && tar xzf fontsource-noto-serif-sc-*.tgz -C serif
pip install fonttools brotli
python docs/make_fonts.py "Yunwang Sans" sans/package && python docs/make_fonts.py "Yunwang Serif" serif/package

No 仿宋 with a free licence and simplified characters is in a public registry; 宋体 stands in for it in PDF, DOCX names
仿宋 itself.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from fontTools import merge, subset
from fontTools.ttLib import TTFont

FONTS = Path(__file__).parent.parent / "documents" / "fonts"
WEIGHTS = {"Yunwang Sans": {"400": "Regular", "700": "Bold"}, "Yunwang Serif": {"400": "Regular"}}
"""A changed font goes by a name of its own. Bold body text is set in Yunwang Sans, as public papers do."""
IDEOGRAPHS = (range(0x3400, 0xA000), range(0x20000, 0x40000))  # of Unicode
WITH_MORE = "Yunwang Sans"
EXTRA = "·–—‘’“”…×÷≤≥¥€°²³○●□■▲▼→←↑↓①②③④⑤⑥⑦⑧⑨⑩"
FIRST_RARE_ROW = 0xD8  # GB 2312 level 2 (二级汉字): a family of its own, so that no file grows past 1.5 MB
FIRST_HANZI_ROW = 0xB0


def characters(family: str, package: Path) -> dict[str, set[int]]:
    """Family to its characters: ASCII, Latin-1, signs and level 1 in one, level 2 in the next, more 汉字 in a third."""
    common = set(range(0x20, 0x7F)) | set(range(0xA0, 0x100)) | {ord(one) for one in EXTRA} | rows(0xA1, 0xA4)
    found = {family: common | rows(FIRST_HANZI_ROW, FIRST_RARE_ROW), f"{family} Rare": rows(FIRST_RARE_ROW, 0xF8)}
    return found | ({f"{family} More": hanzi(package) - rows(FIRST_HANZI_ROW, 0xF8)} if family == WITH_MORE else {})


def hanzi(package: Path) -> set[int]:
    """All 汉字 of the package: 堃, 喆, 玥 and others that GB 2312 lacks but names have."""
    fonts = (TTFont(one, lazy=True) for one in (package / "files").glob("noto-*-sc-*-400-normal.woff2"))
    return {code for font in fonts for code in font.getBestCmap() if any(code in block for block in IDEOGRAPHS)}


def rows(first: int, end: int) -> set[int]:
    """Characters of the rows [first, end) of GB 2312."""
    cells = [bytes((row, cell)) for row in range(first, end) for cell in range(0xA1, 0xFF)]
    return {ord(one) for pair in cells for one in pair.decode("gb2312", "ignore")}


def cut(package: Path, weight: str, wanted: set[int], folder: Path) -> list[str]:
    """The slices of one weight, cut to what is wanted, without hints and layout rules."""
    options = subset.Options(hinting=False, layout_features=[], name_IDs=[1, 2, 4, 6, 13, 14], glyph_names=False)
    options.drop_tables += ["GPOS", "GSUB", "GDEF", "BASE", "VORG", "vhea", "vmtx", "STAT", "DSIG", "meta"]
    left, paths = set(wanted), []
    for source in sorted((package / "files").glob(f"noto-*-sc-*-{weight}-normal.woff2"), key=preference):
        font = TTFont(source)
        here = left & set(font.getBestCmap())
        if here:
            cutter = subset.Subsetter(options)
            cutter.populate(unicodes=here)
            cutter.subset(font)
            font.flavor = None
            paths.append(str(folder / f"{len(paths)}.ttf"))
            font.save(paths[-1])
            left -= here
    print(f"{weight}: {len(wanted)} characters, not in the package: {''.join(map(chr, sorted(left)))}")
    return paths


def preference(source: Path) -> tuple[int, str]:
    """Large slices first: few to merge."""
    order = ("latin-4", "latin-7", "latin-ext", "chinese-simplified")
    return next((place for place, part in enumerate(order) if f"-sc-{part}" in source.name), len(order)), source.name


def rename(font: TTFont, family: str, style: str) -> None:
    """One family for both weights; licence texts stay."""
    plain = family.replace(" ", "")
    names = {1: family, 2: style, 4: f"{family} {style}", 6: f"{plain}-{style}"}
    for record in list(font["name"].names):
        if record.nameID not in {13, 14}:
            font["name"].removeNames(nameID=record.nameID)
    for number, text in names.items():
        font["name"].setName(text, number, 3, 1, 0x409)
    bold = style == "Bold"
    font["OS/2"].usWeightClass = 700 if bold else 400
    font["OS/2"].fsSelection = 0x20 if bold else 0x40
    font["head"].macStyle = int(bold)


def main(name: str, package: Path) -> None:
    """Write the fonts of one family and their licence."""
    for weight, style in WEIGHTS[name].items():
        for family, wanted in characters(name, package).items():
            if family.endswith("More") and style != "Regular":
                continue
            with tempfile.TemporaryDirectory() as folder:
                font = merge.Merger().merge(cut(package, weight, wanted, Path(folder)))
            rename(font, family, style)
            font.save(FONTS / f"{family.replace(' ', '')}-{style}.ttf")
    licence = (package / "LICENSE").read_text("utf-8")
    (FONTS / f"OFL-{name.rsplit(maxsplit=1)[-1]}.txt").write_text(licence, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
