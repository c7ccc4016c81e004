"""Documents made to harm their reader."""

import io
import zipfile
import zlib
from collections.abc import Iterable
from email.message import EmailMessage

from tests.unit.infrastructure.extraction.producers import docx, odt, xlsx

MIB = 1024 * 1024

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{level} "{f"&lol{level - 1 if level > 1 else str()};" * 10}">' for level in range(1, 10))
    + "]>"
)


def with_part(package: bytes, name: str, content: Iterable[bytes]) -> bytes:
    """The package, with this part instead of its own."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            if entry.filename != name:
                new.writestr(entry, old.read(entry))
        with new.open(name, "w", force_zip64=True) as part:
            for piece in content:
                part.write(piece)
    return made.getvalue()


def docx_bomb(mib: int = 200) -> bytes:
    """A few hundred kilobytes that unpack to one endless paragraph."""
    return with_part(
        docx(), "word/document.xml", _document(b"<w:p><w:r><w:t>", [b"a" * MIB] * mib, b"</w:t></w:r></w:p>")
    )


def docx_of_many_paragraphs(paragraph: bytes, mib: int = 150) -> bytes:
    piece = paragraph * (MIB // len(paragraph))
    return with_part(docx(), "word/document.xml", _document(b"", [piece] * mib, b""))


def xlsx_bomb(mib: int = 200) -> bytes:
    return with_part(xlsx(), "xl/sharedStrings.xml", [b"<sst><si><t>", *[b"a" * MIB] * mib, b"</t></si></sst>"])


def _document(begin: bytes, middle: Iterable[bytes], end: bytes) -> Iterable[bytes]:
    yield b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>' + begin
    yield from middle
    yield end + b"</w:body></w:document>"


def laughing_docx() -> bytes:
    body = LAUGHS + (
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
        "<w:p><w:r><w:t>&lol9;</w:t></w:r></w:p></w:body></w:document>"
    )
    return with_part(docx(), "word/document.xml", [body.encode()])


def laughing_odt() -> bytes:
    body = LAUGHS + (
        '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:text>'
        "<text:p>&lol9;</text:p></office:text></office:body></office:document-content>"
    )
    return with_part(odt(), "content.xml", [body.encode()])


def laughing_xlsx() -> bytes:
    body = LAUGHS + (
        '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" count="1" uniqueCount="1">'
        "<si><t>&lol9;</t></si></sst>"
    )
    return with_part(xlsx(), "xl/sharedStrings.xml", [body.encode()])


def reaching_docx(path: str) -> bytes:
    """One that asks its reader for a file of the machine."""
    body = (
        f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY f SYSTEM "file://{path}">]>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
        "<w:p><w:r><w:t>&f;</w:t></w:r></w:p></w:body></w:document>"
    )
    return with_part(docx(), "word/document.xml", [body.encode()])


def deep_docx(depth: int = 30_000) -> bytes:
    middle = [b"<w:sdt>" * depth, b"</w:sdt>" * depth]
    return with_part(docx(), "word/document.xml", _document(b"", middle, b""))


def crowded_package(entries: int = 10_001) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(docx())) as old, zipfile.ZipFile(made, "w") as new:
        for entry in old.infolist():
            new.writestr(entry, old.read(entry))
        for number in range(entries):
            new.writestr(f"word/media/{number}", b"")
    return made.getvalue()


def archive(*contents: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for number, content in enumerate(contents):
            new.writestr(f"{number}.txt", content)
    return made.getvalue()


def pdf_of(*objects: bytes) -> bytes:
    """The objects, numbered from 1, of which the first is the catalogue."""
    made, places = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    begin = len(made)
    made += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    made += b"".join(b"%010d 00000 n \n" % place for place in places)
    made += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, begin)
    return bytes(made)


_CATALOGUE = b"<< /Type /Catalog /Pages 2 0 R >>"
_PAGES = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
_FONT = b"/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"


def _page(resources: bytes = _FONT) -> bytes:
    return (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << " + resources + b" >> >>"
    )


def pdf_bomb(mib: int) -> bytes:
    """A page whose drawing unpacks to more than the reader may hold."""
    packer = zlib.compressobj(1)
    piece = b"BT /F1 9 Tf (a) Tj ET\n" * (MIB // 22)
    drawing = b"".join([packer.compress(piece) for _ in range(mib)]) + packer.flush()
    stream = b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(drawing), drawing)
    return pdf_of(_CATALOGUE, _PAGES, _page(), stream)


def pdf_that_draws_itself() -> bytes:
    form = b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /A 5 0 R /B 5 0 R >> >> /Length 12 >>"
    form += b"\nstream\n/A Do /B Do \nendstream"
    drawing = b"<< /Length 6 >>\nstream\n/A Do \nendstream"
    return pdf_of(_CATALOGUE, _PAGES, _page(b"/XObject << /A 5 0 R >>"), drawing, form)


def pdf_of_nested_arrays(depth: int = 100_000) -> bytes:
    return pdf_of(_CATALOGUE, _PAGES, _page(), b"<< /Length 0 >>\nstream\n\nendstream", b"[" * depth + b"]" * depth)


def pdf_of_circling_pages() -> bytes:
    return pdf_of(
        _CATALOGUE, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"
    )


def nested_email(depth: int = 3_000) -> bytes:
    head = "".join(
        f'MIME-Version: 1.0\nMessage-ID: <{level}@example.org>\nContent-Type: multipart/mixed; boundary="b{level}"\n\n--b{level}\n'
        for level in range(depth)
    )
    return (head + "\nthe end\n").encode()


def email_of_many_parts(parts: int = 600) -> bytes:
    message = EmailMessage()
    message["Subject"], message["Message-ID"] = "parts", "<1@example.org>"
    message.make_mixed()
    for number in range(parts):
        part = EmailMessage()
        part.set_content(f"part {number}")
        message.attach(part)
    return message.as_bytes()
