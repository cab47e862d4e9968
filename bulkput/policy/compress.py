"""Decides which files are sent compressed, in steps, as more becomes known of the file.

The first row that is true decides. A function returns None if its step decides nothing; then the next step follows.

| step   | the file                                               | never | always | auto              |
|--------|--------------------------------------------------------|-------|--------|-------------------|
| name   | matches a pattern of `GzipOptions.exclude`             | no    | no     | no                |
| name   | is any other file                                      | no    | yes    |                   |
| name   | is empty                                               |       |        | no                |
| name   | is smaller than `min_size`                             |       |        | no                |
| name   | has the suffix of a compressed format                  |       |        | no                |
| magic  | begins with the magic number of a compressed format    |       |        | no                |
| result | is held in memory; compressed, it saves `least_saving` |       |        | yes, otherwise no |
| sample | is streamed; a compressed sample saves `least_saving`  |       |        | yes, otherwise no |
"""

import re

from bulkput.model import Compression, Why
from bulkput.options import GzipOptions

SAMPLE_SIZE = 64 * 1024
"""Bytes in each of the two pieces of a sample: twice deflate's window, so that a sample repeats as the file does."""
MAGIC_SIZE = 24
"""Bytes at the start of a file that `decide_by_magic` needs."""


def decide_by_name(name: str, size: int, options: GzipOptions, *, is_excluded: bool = False) -> Compression | None:
    """The step "name", before the file is read. `size` is in bytes. The mode is `never` for some files of a run with
    rules; a run that compresses nothing need not ask."""
    if is_excluded:
        return Compression(False, Why.EXCLUDED)
    if options.mode == "never":
        return Compression(False, Why.NOT_ASKED)
    if options.mode == "always":
        return Compression(True, Why.ASKED)
    if size == 0:
        return Compression(False, Why.EMPTY)
    if size < options.min_size:
        return Compression(False, Why.SMALL)
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    if dot and stem and suffix.lower() in COMPRESSED_SUFFIXES:
        return Compression(False, Why.NAME)
    return None


def decide_by_magic(first: bytes) -> Compression | None:
    """The step "magic". `first` has the first MAGIC_SIZE bytes of the file, or more."""
    return Compression(False, Why.MAGIC) if _MAGIC.match(first) else None


def decide_by_result(size: int, compressed_size: int, options: GzipOptions) -> Compression:
    """The step "result", for a small file that was compressed to measure the saving. Sizes are in bytes."""
    is_worth_it = _saves(size, compressed_size, options)
    return Compression(is_worth_it, Why.SAVES if is_worth_it else Why.SAVES_LITTLE)


def decide_by_sample(sample_size: int, compressed_size: int, options: GzipOptions) -> Compression:
    """The step "sample", for a large file. The ranges of `sample_ranges` were joined and compressed. Sizes in bytes."""
    is_worth_it = _saves(sample_size, compressed_size, options)
    return Compression(is_worth_it, Why.SAMPLE_SAVES if is_worth_it else Why.SAMPLE_SAVES_LITTLE)


def sample_ranges(size: int) -> tuple[tuple[int, int], ...]:
    """Offset and length of the ranges that make the sample of a file of `size` bytes: its start and its middle.

    The start alone misleads: many formats begin with a table or a text, and the data follows.
    """
    if size <= 2 * SAMPLE_SIZE:
        return ((0, size),)
    return ((0, SAMPLE_SIZE), (max(SAMPLE_SIZE, size // 2), min(SAMPLE_SIZE, size - max(SAMPLE_SIZE, size // 2))))


def _saves(size: int, compressed_size: int, options: GzipOptions) -> bool:
    return compressed_size <= size * (1 - options.least_saving)


# From rsync(1), --skip-compress, with newer formats added. Left out are suffixes whose files may be uncompressed inside
# (avi, dmg, ear, iso, msi, and ts, which is also TypeScript). The magic number or a sample finds formats not listed.
_SUFFIXES = """
    jpg jpeg jpe jfif png gif webp avif heic heif jp2 jpx jxl
    mp3 m4a m4b m4p m4r aac ac3 eac3 ogg oga ogx opus spx flac wma ape amr mka
    mp4 m4v mov mkv webm wmv flv f4v mpg mpeg mpv m1v m2v m2ts vob 3gp 3gpp 3g2 ogv ogm qt h264 h265
    gz tgz bz2 tbz tbz2 xz txz lzma tlz lz lz4 lzo tzo lrz zst zstd tzst br z sz rz rzip
    zip 7z rar cab arj ace deb rpm apk aab ipa jar war whl egg nupkg crx xpi vsix squashfs
    docx docm dotx xlsx xlsm xlsb pptx pptm ppsx vsdx odt ott ods ots odp otp odg otg odf odb epub kmz 3mf
    parquet orc woff woff2 svgz gpg pgp kdbx
"""
COMPRESSED_SUFFIXES = frozenset(_SUFFIXES.split())
"""Suffixes of media, archives, packages, office documents (zip inside), columnar data, fonts and encrypted files."""

_MAGIC = re.compile(
    rb"""
      \x1f\x8b\x08                                   # gzip: RFC 1952, section 2.3.1
    | PK\x03\x04 .{4} [^\x00]                        # zip whose first entry is not just stored: APPNOTE.TXT, 4.3.7
    | \x28\xb5\x2f\xfd                               # Zstandard: RFC 8878, section 3.1.1
    | \xfd7zXZ\x00                                   # xz: .xz file format, section 2.1.1.1
    | BZh[1-9]1AY&SY                                 # bzip2
    | 7z\xbc\xaf\x27\x1c                             # 7z: 7zFormat.txt
    | Rar!\x1a\x07                                   # RAR
    | \x04\x22\x4d\x18                               # LZ4: frame format
    | LZIP\x01                                       # lzip
    | \x1f\x9d                                       # compress
    | MSCF\x00\x00\x00\x00                           # cabinet
    | \xff\x06\x00\x00sNaPpY                         # Snappy: framing format
    | \xed\xab\xee\xdb                               # RPM
    | !<arch>\ndebian-binary                         # Debian package: deb(5)
    | PACK\x00\x00\x00[\x02\x03]                     # git pack: gitformat-pack(5)
    | \x89PNG\r\n\x1a\n                              # PNG: RFC 2083, section 3.1
    | \xff\xd8\xff                                   # JPEG
    | GIF8[79]a
    | RIFF .{4} WEBP                                 # RFC 9649, section 2.4
    | \x00\x00\x00\x0c(?:jP\x20\x20|JXL\x20)\r\n\x87\n   # JPEG 2000, JPEG XL
    | \x00\x00 .{2} ftyp                             # MP4, MOV, M4A, HEIC, AVIF: ISO/IEC 14496-12, 4.3
    | OggS\x00                                       # Ogg: RFC 3533, section 6
    | fLaC                                           # FLAC: RFC 9639, section 6
    | ID3[\x02-\x04]                                 # MP3 with a tag
    | \x1a\x45\xdf\xa3                               # Matroska, WebM: RFC 8794, section 11.2.1
    | FLV\x01
    | \x30\x26\xb2\x75\x8e\x66\xcf\x11               # ASF: WMV, WMA
    | PAR1                                           # Parquet
    | wOF[F2]                                        # WOFF: W3C
    """,
    re.VERBOSE | re.DOTALL,
)
"""Magic numbers with which no text begins. Formats that need a closer look are left to the sample."""
