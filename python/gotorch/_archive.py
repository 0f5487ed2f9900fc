"""The zip files that checkpoints are: uncompressed records, each at a multiple of 64 bytes, each with its CRC.

PyTorch writes and reads the same layout.
"""

import io
import os
import struct
import zipfile
import zlib

import gotorch

_ALIGNMENT = 64
_DATE = 33  # the first of January 1980, the earliest day that the format knows
_UTF8 = 0x800
_MAX32 = 0xFFFFFFFF
_CHUNK = 1 << 24


class ArchiveWriter:
    """Writes records to anything with write(); nothing is held back, so records may be as large as memory."""

    def __init__(self, file):
        self._file, self._at, self._entries = file, 0, []

    def add(self, name, content):
        content = memoryview(content).cast("B")
        encoded, crc, size = ("archive/" + name).encode(), zlib.crc32(content), len(content)
        large = struct.pack("<HHQQ", 1, 16, size, size) if size >= _MAX32 else b""
        begin = self._at + 30 + len(encoded) + len(large) + 4
        padding = -begin % _ALIGNMENT
        extra = large + struct.pack("<2sH", b"FB", padding) + bytes(padding)
        shown = _MAX32 if large else size
        self._write(
            struct.pack(
                "<4s5H3L2H",
                b"PK\3\4", 45 if large else 20, _UTF8, 0, 0, _DATE, crc, shown, shown, len(encoded), len(extra),
            )
            + encoded
            + extra
        )  # fmt: skip
        self._entries.append((encoded, crc, size, begin - 34 - len(encoded) - len(large)))
        self._write(content)

    def close(self):
        start = self._at
        for name, crc, size, offset in self._entries:
            sizes = [size, size] if size >= _MAX32 else []
            offsets = [offset] if offset >= _MAX32 else []
            wide = struct.pack(f"<HH{len(sizes + offsets)}Q", 1, 8 * len(sizes + offsets), *sizes, *offsets)
            extra = wide if sizes or offsets else b""
            shown, at = (_MAX32 if sizes else size), (_MAX32 if offsets else offset)
            self._write(
                struct.pack(
                    "<4s6H3L5H2L",
                    b"PK\1\2", 45, 45 if extra else 20, _UTF8, 0, 0, _DATE, crc, shown, shown,
                    len(name), len(extra), 0, 0, 0, 0, at,
                )
                + name
                + extra
            )  # fmt: skip
        end, count = self._at, len(self._entries)
        if start >= _MAX32 or count >= 0xFFFF:
            self._write(struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, end - start, start))
            self._write(struct.pack("<4sLQL", b"PK\6\7", 0, end, 1))
        shown = min(count, 0xFFFF)
        place = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, shown, shown, end - start, min(start, _MAX32), 0)
        self._write(place)

    def _write(self, content):
        for begin in range(0, len(content), _CHUNK):
            self._file.write(content[begin : begin + _CHUNK])
        self._at += len(content)


class ArchiveReader:
    """Reads records; RuntimeError for what is damaged."""

    def __init__(self, file):
        self._zip = zipfile.ZipFile(file)
        self._size = self._zip.fp.seek(0, io.SEEK_END)
        names = self._zip.namelist()
        if len(set(names)) != len(names):
            raise RuntimeError("two records have the same name")
        pickles = [name for name in names if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise RuntimeError(f"it has {len(pickles)} data.pkl, expected one")
        self._prefix = pickles[0][: -len("data.pkl")]
        self._names = set(names)

    def __contains__(self, name):
        return self._prefix + name in self._names

    def record(self, name):
        """The content of a small record."""
        with self._zip.open(self._info(name)) as stream:
            return stream.read()

    def tensor(self, name, size):
        """The content of a record of `size` bytes, as a uint8 tensor."""
        info = self._info(name)
        if info.file_size != size:
            raise RuntimeError(f"record {name} has {info.file_size} bytes, expected {size}")
        out = gotorch.empty(size, dtype=gotorch.uint8)
        if size == 0:
            return out
        done = 0
        with self._zip.open(info) as stream:
            while done < size:
                content = stream.read(min(_CHUNK, size - done))
                if not content:
                    raise RuntimeError(f"record {name} ends after {done} of {size} bytes")
                gotorch._C._fill_bytes(out, done, content)
                done += len(content)
            stream.read(1)  # at the end the CRC is checked
        return out

    def _info(self, name):
        try:
            info = self._zip.getinfo(self._prefix + name)
        except KeyError:
            raise RuntimeError(f"record {name} is missing") from None
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > self._size:
            raise RuntimeError(f"record {name} is compressed or larger than the file")
        return info

    def close(self):
        self._zip.close()


class AtomicFile:
    """A file that appears under its name whole or not at all: see data/atomic_file.h."""

    def __init__(self, path):
        self._file = gotorch._C._AtomicFile(os.fspath(path))
        self.write = self._file.write

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self._file.commit()
        else:
            self._file.abandon()
