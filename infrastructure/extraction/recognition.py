"""Which format a document has, by its content: names and declared types are often wrong, and never trusted alone."""

import re
import zipfile
from dataclasses import dataclass
from io import BytesIO

from infrastructure.extraction.decoding import looks_like_text, narrow
from infrastructure.extraction.refusal import Refusal, damaged, password_protected
from infrastructure.ports.extraction import DocumentFormat, Reason

BEGINNING = 8 * 1024
MAX_CONTENT_TYPES = 1024 * 1024

_ARCHIVES = (
    (0, b"\x1f\x8b", "gzip"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\x00", "xz"),
    (0, b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (0, b"Rar!\x1a\x07", "RAR"),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard"),
    (0, b"MSCF", "CAB"),
    (0, b"!<arch>\n", "ar"),
    (257, b"ustar", "tar"),
)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_OLE_STREAMS = (
    ("WordDocument", "a Word document of before 2007: save it as DOCX"),
    ("Workbook", "an Excel workbook of before 2007: save it as XLSX"),
    ("PowerPoint Document", "a presentation of before 2007: save it as PPTX"),
    ("__substg1.0_", "an Outlook message: save it as EML"),
)
_OTHERS = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"%!PS", "PostScript: save it as PDF"),
)
_OPEN_XML = {
    b"wordprocessingml.document.main+xml": DocumentFormat.DOCX,
    b"wordprocessingml.template.main+xml": DocumentFormat.DOCX,
    b"ms-word.document.macroEnabled.main+xml": DocumentFormat.DOCX,
    b"presentationml.presentation.main+xml": DocumentFormat.PPTX,
    b"presentationml.slideshow.main+xml": DocumentFormat.PPTX,
    b"ms-powerpoint.presentation.macroEnabled.main+xml": DocumentFormat.PPTX,
    b"spreadsheetml.sheet.main+xml": DocumentFormat.XLSX,
    b"ms-excel.sheet.macroEnabled.main+xml": DocumentFormat.XLSX,
}
_ODT = (b"application/vnd.oasis.opendocument.text", b"application/vnd.oasis.opendocument.text-template")

_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:[^-]|-(?!->))*-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_HEADER = re.compile(rb"(?:From [^\n]*\n)?(?:[!-9;-~]{1,76}:[^\n]*\n(?:[ \t][^\n]*\n)*){2,}")
_STRONG_HEADER = re.compile(
    rb"^(?:received|return-path|message-id|mime-version|dkim-signature|x-mailer):", re.IGNORECASE | re.MULTILINE
)
_WEAK_HEADER = re.compile(rb"^(?:from|to|subject|date):", re.IGNORECASE | re.MULTILINE)
_MARKDOWN = re.compile(
    rb"^(?:#{1,6} \S|```|~~~|\|.*\|[ \t]*$|- \[[ x]\] |\[[^\]\n]+\]: \S|!?\[[^\]\n]+\]\([^)\n]+\))", re.MULTILINE
)
MIN_MARKDOWN_MARKS = 2


@dataclass(frozen=True, slots=True)
class Hints:
    """What the uploader says of a document."""

    file_name: str | None = None
    media_type: str | None = None

    def names(self, one: DocumentFormat, *suffixes: str) -> bool:
        declared = (self.media_type or "").partition(";")[0].strip().lower()
        return declared == one.media_type or (self.file_name or "").lower().endswith(suffixes)


def recognise(content: bytes, hints: Hints) -> DocumentFormat:
    """The document's format. Refusal when it is none of ours: it says what the content is instead, where that shows."""
    beginning = content[:BEGINNING]
    if not content:
        raise Refusal(Reason.EMPTY, "It has no bytes: upload the whole file.")
    if beginning.startswith(_ZIP):
        return _inside_zip(content)
    for offset, mark, name in _ARCHIVES:
        if beginning.startswith(mark, offset):
            raise _archive(name)
    if beginning.startswith(_OLE):
        raise _inside_ole(content)
    if beginning.lstrip().startswith(b"{\\rtf"):
        return DocumentFormat.RTF
    if b"%PDF-" in beginning[:1024]:
        return DocumentFormat.PDF
    for mark, what in _OTHERS:
        if beginning.startswith(mark) and not (mark == b"MZ" and looks_like_text(beginning)):
            raise _unknown(f"It is {what}.")
    if not looks_like_text(beginning):
        raise _unknown("Its content is none of the formats that are read.")
    return _text(narrow(beginning), hints)


def _text(beginning: bytes, hints: Hints) -> DocumentFormat:
    if _HTML.match(beginning) or (b"<" in beginning and hints.names(DocumentFormat.HTML, ".html", ".htm", ".xhtml")):
        return DocumentFormat.HTML
    if header := _HEADER.match(beginning.replace(b"\r\n", b"\n")):
        found = header[0]
        weak = len(_WEAK_HEADER.findall(found)) >= 2 and hints.names(DocumentFormat.EML, ".eml")
        if _STRONG_HEADER.search(found) or weak:
            return DocumentFormat.EML
    if hints.names(DocumentFormat.MARKDOWN, ".md", ".markdown"):
        return DocumentFormat.MARKDOWN
    if hints.names(DocumentFormat.TEXT, ".txt", ".text", ".log", ".csv"):
        return DocumentFormat.TEXT
    return DocumentFormat.MARKDOWN if len(_MARKDOWN.findall(beginning)) >= MIN_MARKDOWN_MARKS else DocumentFormat.TEXT


def _inside_zip(content: bytes) -> DocumentFormat:
    try:
        with zipfile.ZipFile(BytesIO(content)) as package:
            names = set(package.namelist())
            if "mimetype" in names:
                kind = _beginning_of(package, "mimetype").strip()
                if kind in _ODT:
                    return DocumentFormat.ODT
                if kind.startswith(b"application/vnd.oasis.opendocument"):
                    raise _unknown("Of the OpenDocument formats only texts (ODT) are read.")
                if kind == b"application/epub+zip":
                    raise _unknown("It is an e-book (EPUB).")
            if "[Content_Types].xml" in names:
                types = _beginning_of(package, "[Content_Types].xml")
                if found := next((one for mark, one in _OPEN_XML.items() if mark in types), None):
                    return found
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError, ValueError, zipfile.LargeZipFile):
        raise damaged("It begins as a ZIP, and its directory or a part is missing: upload the whole file.") from None
    raise _archive("ZIP")


def _beginning_of(package: zipfile.ZipFile, name: str) -> bytes:
    with package.open(name) as stream:
        return stream.read(MAX_CONTENT_TYPES)


def _inside_ole(content: bytes) -> Refusal:
    if _OLE_ENCRYPTED in content:
        return password_protected()
    for stream, what in _OLE_STREAMS:
        if stream.encode("utf-16-le") in content:
            return _unknown(f"It is {what}.")
    return _unknown("It is a file of a Microsoft program of before 2007.")


def _archive(name: str) -> Refusal:
    return Refusal(Reason.ARCHIVE_REFUSED, f"It is a {name} archive: unpack it and upload the documents in it.")


def _unknown(what: str) -> Refusal:
    formats = ", ".join(one.value for one in DocumentFormat)
    return Refusal(Reason.UNKNOWN_FORMAT, f"{what} These are read: {formats}.")
