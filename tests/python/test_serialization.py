"""Checkpoints: PyTorch reads ours and we read its; nothing is lost, nothing damaged goes unnoticed, nothing is executed."""

import io
import os
import pickle
import random
import signal
import struct
import subprocess
import sys
import textwrap
import time
import zipfile
from collections import Counter, OrderedDict

import gotorch
import pytest
from gotorch import safetensors

DTYPES = [
    gotorch.float64, gotorch.float32, gotorch.float16, gotorch.bfloat16, gotorch.int64,
    gotorch.int32, gotorch.int16, gotorch.int8, gotorch.uint8, gotorch.bool,
]  # fmt: skip


def there_and_back(obj, **options):
    file = io.BytesIO()
    gotorch.save(obj, file)
    file.seek(0)
    return gotorch.load(file, **options)


def state():
    gotorch.manual_seed(0)
    net = gotorch.nn.Sequential(gotorch.nn.Linear(3, 4), gotorch.nn.BatchNorm1d(4), gotorch.nn.Linear(4, 2))
    optimizer = gotorch.optim.Adam(net.parameters(), lr=0.1)
    net(gotorch.randn(5, 3)).sum().backward()
    optimizer.step()
    return {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "rng": gotorch.get_rng_state()}


def same(a, b):
    if isinstance(a, gotorch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and a.tolist() == b.tolist()
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_tensors_of_every_dtype_and_layout(dtype):
    x = (gotorch.arange(24) % 2).to(dtype).reshape(4, 6)
    for t in (x, x.t(), x[1:3, ::2], x[0, 0], x[:0], gotorch.empty(0, 3, dtype=dtype), x[:1].expand(3, 6)):
        loaded = there_and_back(t)
        assert same(loaded, t) and loaded.stride() == t.stride()


def test_what_else_checkpoints_hold():
    objects = [
        None, True, 0, -1, 255, 256, 65536, -(2**31), 2**40, -(2**100), 2**3000, 1.5, float("inf"), "text", "\u00e4\U0001f600\n",
        b"", b"\x00\xff", bytearray(b"ab"), 1 + 2j, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [1, [2]], {}, {"a": {1: "b"}},
        set(), {1, 2}, frozenset([3]), OrderedDict(a=1), Counter("aab"), gotorch.Size([2, 3]), gotorch.float32, gotorch.bool,
        gotorch.device("cpu"), "x" * 300, list(range(3000)),
    ]  # fmt: skip
    for protocol in (2, 3, 4, 5):
        file = io.BytesIO()
        gotorch.save(objects, file, pickle_protocol=protocol)
        file.seek(0)
        loaded = gotorch.load(file)
        assert loaded == objects and list(map(type, loaded)) == list(map(type, objects))


def test_whole_training_states():
    saved = state()
    assert same(there_and_back(saved), saved)
    assert there_and_back(saved["net"])._metadata == saved["net"]._metadata
    assert type(there_and_back(saved["net"])) is OrderedDict


def test_shared_memory_stays_shared():
    x = gotorch.arange(6.0)
    loaded = there_and_back({"x": x, "same": x, "view": x.reshape(2, 3)[1]})
    loaded["x"][3] = 70
    assert loaded["view"].tolist() == [70, 4, 5] and loaded["same"][3] == 70
    recursive = [x]
    recursive.append(recursive)
    loaded = there_and_back(recursive)
    assert loaded[1] is loaded


def test_gradients_are_asked_for_again():
    p = gotorch.nn.Parameter(gotorch.ones(2), requires_grad=False)
    loaded = there_and_back(
        [gotorch.ones(2, requires_grad=True), p, gotorch.nn.Parameter(gotorch.ones(2)), gotorch.ones(1)]
    )
    assert [t.requires_grad for t in loaded] == [True, False, True, False]
    assert [type(t) for t in loaded] == [gotorch.Tensor, gotorch.nn.Parameter, gotorch.nn.Parameter, gotorch.Tensor]


def test_saving_leaves_expressions_deferred():
    x = gotorch.ones(100_000)
    there_and_back(x)
    x += 1
    assert there_and_back(x + 1)[5] == 3


def test_pytorch_reads_ours(tmp_path):
    torch = pytest.importorskip("torch")
    saved = state()
    gotorch.save(saved, tmp_path / "c.pt")
    loaded = torch.load(tmp_path / "c.pt")
    assert loaded["epoch"] == 3 and list(loaded["net"]) == list(saved["net"])
    for name, t in saved["net"].items():
        assert str(loaded["net"][name].dtype) == str(t.dtype) and loaded["net"][name].tolist() == t.tolist()
    assert loaded["net"]._metadata == saved["net"]._metadata
    mapped = torch.load(tmp_path / "c.pt", mmap=True)
    assert mapped["net"]["0.weight"].tolist() == saved["net"]["0.weight"].tolist()
    every = {str(d): gotorch.ones(3, dtype=d) for d in DTYPES}
    gotorch.save(
        {
            **every,
            "s": gotorch.Size([1]),
            "d": gotorch.int8,
            "b": b"\xff",
            "p": gotorch.nn.Parameter(every["torch.float32"]),
        },
        tmp_path / "d.pt",
    )
    loaded = torch.load(tmp_path / "d.pt")
    assert all(str(loaded[str(d)].dtype) == str(d) and loaded[str(d)].tolist() == [1, 1, 1] for d in DTYPES)
    assert type(loaded["s"]) is torch.Size and loaded["d"] is torch.int8 and loaded["b"] == b"\xff"
    assert type(loaded["p"]) is torch.nn.Parameter


def test_we_read_pytorchs(tmp_path):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.randn(5, 3)).sum().backward()
    optimizer.step()
    x = torch.arange(6.0)
    saved = {
        "net": net.state_dict(), "optimizer": optimizer.state_dict(), "x": x, "view": x[2:4], "turned": x.reshape(2, 3).t(),
        "p": torch.nn.Parameter(x), "size": x.shape, "dtype": torch.bfloat16, "device": torch.device("cpu"),
        "every": [torch.ones(2, dtype=getattr(torch, str(d).split(".")[1])) for d in DTYPES], "bytes": b"\x00\xff", "set": {1}, "c": 1j,
    }  # fmt: skip
    torch.save(saved, tmp_path / "c.pt")
    loaded = gotorch.load(tmp_path / "c.pt")
    for name, t in saved["net"].items():
        assert loaded["net"][name].tolist() == t.tolist()
    ours = gotorch.nn.Sequential(gotorch.nn.Linear(3, 4), gotorch.nn.BatchNorm1d(4))
    ours.load_state_dict(loaded["net"])
    assert loaded["turned"].tolist() == saved["turned"].tolist() and loaded["turned"].stride() == (1, 3)
    loaded["x"][2] = 9
    assert loaded["view"].tolist() == [9, 3]
    assert [t.dtype for t in loaded["every"]] == DTYPES and loaded["dtype"] == gotorch.bfloat16
    assert (loaded["bytes"], loaded["set"], loaded["c"], tuple(loaded["size"])) == (b"\x00\xff", {1}, 1j, (6,))
    assert type(loaded["p"]) is gotorch.nn.Parameter
    torch.save({"i": torch.ones(2, dtype=torch.complex64)}, tmp_path / "i.pt")
    with pytest.raises(pickle.UnpicklingError, match="ComplexFloatStorage"):
        gotorch.load(tmp_path / "i.pt")


class Trusted:
    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return self.value == other.value


def test_other_classes_need_trust(tmp_path):
    saved = {"t": Trusted(gotorch.ones(2).tolist()), "net": gotorch.nn.Linear(2, 2)}
    gotorch.save(saved, tmp_path / "c.pt")
    with pytest.raises(pickle.UnpicklingError, match="refers to .*Trusted.*add_safe_globals"):
        gotorch.load(tmp_path / "c.pt")
    loaded = gotorch.load(tmp_path / "c.pt", weights_only=False)
    assert loaded["t"] == saved["t"]
    x = gotorch.ones(1, 2)
    assert same(loaded["net"](x), saved["net"](x))
    only = there_and_back  # of a class that is declared safe, and after that is taken back
    with gotorch.serialization.safe_globals([Trusted]):
        assert only(saved["t"]) == saved["t"] and gotorch.serialization.get_safe_globals() == [Trusted]
    with pytest.raises(pickle.UnpicklingError):
        only(saved["t"])


def archive_of(pickled, records=()):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as z:
        z.writestr("a/data.pkl", pickled)
        for name, content in records:
            z.writestr("a/" + name, content)
    file.seek(0)
    return file


ran = []


class Attack:
    def __reduce__(self):
        return ran.append, ("executed",)


STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"


def tensor_call(storage=STORAGE, offset=b"K\x00", size=b"K\x04\x85", stride=b"K\x01\x85", grad=b"\x89"):
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + storage + offset + size + stride + grad + b"NtR."


HOSTILE = {
    "attack": pickle.dumps(Attack(), 2),
    "system": b"cos\nsystem\n(X\x04\x00\x00\x00truetR.",
    "eval": b"\x80\x02c__builtin__\neval\nX\x03\x00\x00\x001+1\x85R.",
    "getattr": b"\x80\x02c__builtin__\ngetattr\n.",
    "stack global": b"\x80\x04\x8c\x05posix\x8c\x06system\x93.",
    "dotted": b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.__init__\x93.",
    "old instance opcode": b"(ios\nsystem\n.",
    "extension": b"\x80\x02\x82\x01.",
    "call of a tensor": tensor_call()[:-1] + b"(tR.",
    "call of a dtype": b"\x80\x02ctorch\nfloat32\n(tR.",
    "call of a storage type": b"\x80\x02ctorch\nFloatStorage\n(tR.",
    "new of an allowed name": b"\x80\x02ccollections\nOrderedDict\n)\x81.",
    "state for a function": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb.",
    "state for a dictionary": b"\x80\x02ccollections\nOrderedDict\n)R}X\x0a\x00\x00\x00move_to_endK\x01sb.",
    "state for a list": b"\x80\x02]}b.",
    "item of a list": b"\x80\x02]K\x00K\x01s.",
    "items of a tensor": tensor_call()[:-1] + b"(K\x00K\x01u.",
    "append to a dictionary": b"\x80\x02}K\x01a.",
    "append to a number": b"\x80\x02K\x01K\x01a.",
    "add to a list": b"\x80\x04](K\x01\x90.",
    "odd items": b"\x80\x02}(K\x01u.",
    "unhashable key": b"\x80\x02}]K\x01s.",
    "no such memo": b"\x80\x02h\x07.",
    "pop of nothing": b"\x80\x020.",
    "put of nothing": b"\x80\x02q\x00.",
    "stop of nothing": b"\x80\x02.",
    "no mark": b"\x80\x02t.",
    "huge text": b"\x80\x04X\xff\xff\xff\xff.",
    "huge bytes": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "negative long": b"\x80\x02\x8b\xff\xff\xff\xff.",
    "protocol 9": b"\x80\x09N.",
    "empty": b"",
    "no stop": b"\x80\x02N",
    "bad utf-8": b"\x80\x02X\x01\x00\x00\x00\xff.",
    "many marks": b"\x80\x02" + b"(" * 100_000 + b".",
    "storage: no tuple": tensor_call(b"X\x01\x00\x00\x000Q"),
    "storage: short": tensor_call(b"(X\x07\x00\x00\x00storagetQ"),
    "storage: type is a number": tensor_call(STORAGE.replace(b"ctorch\nFloatStorage\n", b"K\x01")),
    "storage: type is a dtype": tensor_call(STORAGE.replace(b"FloatStorage", b"float32")),
    "storage: larger": tensor_call(STORAGE.replace(b"K\x04t", b"K\x05t")),
    "storage: negative": tensor_call(STORAGE.replace(b"K\x04t", b"J\xff\xff\xff\xfft")),
    "storage: overflows": tensor_call(STORAGE.replace(b"K\x04t", b"\x8a\x09" + (2**64).to_bytes(9, "little") + b"t")),
    "storage: another record": tensor_call(STORAGE.replace(b"\x000X\x03", b"\x001X\x03")),
    "storage: key outside": tensor_call(STORAGE.replace(b"X\x01\x00\x00\x000", b"X\x0b\x00\x00\x00../data.pkl")),
    "tensor: no storage": tensor_call(b"K\x01"),
    "tensor: too large": tensor_call(size=b"K\x05\x85"),
    "tensor: offset": tensor_call(offset=b"K\x01"),
    "tensor: negative offset": tensor_call(offset=b"J\xff\xff\xff\xff"),
    "tensor: text offset": tensor_call(offset=b"X\x01\x00\x00\x000"),
    "tensor: negative size": tensor_call(size=b"J\xff\xff\xff\xff\x85"),
    "tensor: negative stride": tensor_call(stride=b"J\xff\xff\xff\xff\x85"),
    "tensor: other lengths": tensor_call(size=b"K\x02K\x02\x86"),
    "tensor: wrapping": tensor_call(size=b"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40\x85", stride=b"K\x04\x85"),
    "tensor: text size": tensor_call(size=b"X\x01\x00\x00\x004"),
    "tensor: grad": tensor_call(grad=b"K\x01"),
    "tensor: few arguments": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
    "tensor: arguments are a list": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n]R.",
    "parameter of a number": b"\x80\x02ctorch._utils\n_rebuild_parameter\nK\x01\x88N\x87R.",
    "size of texts": b"\x80\x02ctorch\nSize\nX\x01\x00\x00\x00a\x85\x85R.",
    "encode as code": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00zip\x86R.",
    "bytearray of a size": b"\x80\x02c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused(name):
    with pytest.raises((pickle.UnpicklingError, RuntimeError)):
        gotorch.load(archive_of(HOSTILE[name], [("data/0", bytes(16))]))
    assert ran == []


def test_the_tensor_that_the_hostile_ones_resemble_loads():
    assert gotorch.load(archive_of(tensor_call(), [("data/0", bytes(16))])).tolist() == [0, 0, 0, 0]


def test_random_pickles_raise_or_load():
    file = io.BytesIO()
    gotorch.save(state(), file)
    with zipfile.ZipFile(file) as z:
        pickled = z.read("archive/data.pkl")
        records = [(n[8:], z.read(n)) for n in z.namelist() if "/data/" in n]
    rng = random.Random(0)
    refused = 0
    for _ in range(1500):
        damaged = bytearray(pickled)
        for _ in range(rng.choice((1, 1, 2, 5))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            gotorch.load(archive_of(bytes(damaged), records))
        except (pickle.UnpicklingError, RuntimeError):
            refused += 1
    assert refused > 500


def test_archives_that_are_none_are_refused(tmp_path):
    def refused(content, text="damaged"):
        (tmp_path / "f").write_bytes(content)
        with pytest.raises(RuntimeError, match=text):
            gotorch.load(tmp_path / "f")

    refused(b"")
    refused(b"hello")
    refused(pickle.dumps([1]))
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as z, pytest.warns(UserWarning):
        z.writestr("a/data.pkl", b"\x80\x02N.")
        z.writestr("a/data.pkl", b"\x80\x02N.")
    refused(twice.getvalue(), "two records")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("a/data.pkl", b"N" * 1_000_000 + b".")
    refused(packed.getvalue(), "compressed")
    refused(archive_of(b"\x80\x02N.", [("byteorder", b"big")]).getvalue(), "byte order")
    with pytest.raises(FileNotFoundError):
        gotorch.load(tmp_path / "none")
    with pytest.raises(RuntimeError, match="(?i)cuda"):
        gotorch.load(tmp_path / "f", map_location="cuda")


def small():
    return {"w": gotorch.arange(40.0), "n": 1}


def test_every_prefix_is_refused():
    file = io.BytesIO()
    gotorch.save(small(), file)
    whole = file.getvalue()
    for n in range(len(whole)):
        with pytest.raises(RuntimeError):
            gotorch.load(io.BytesIO(whole[:n]))


def test_no_flipped_bit_changes_what_is_loaded():
    file = io.BytesIO()
    gotorch.save(small(), file)
    whole, wanted, noticed = bytearray(file.getvalue()), small(), 0
    for bit in range(0, 8 * len(whole), 3):
        whole[bit // 8] ^= 1 << bit % 8
        try:
            assert same(gotorch.load(io.BytesIO(whole)), wanted)
        except (RuntimeError, pickle.UnpicklingError):
            noticed += 1
        whole[bit // 8] ^= 1 << bit % 8
    assert noticed > len(whole)


def run_script(text, *arguments, **options):
    command = [sys.executable, "-c", textwrap.dedent(text), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def test_a_full_disk_leaves_the_old_file(tmp_path):
    result = run_script("""
        import os, resource, signal, sys, gotorch
        path = sys.argv[1]
        gotorch.save({"n": 1}, path)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            gotorch.save({"n": 2, "x": gotorch.ones(1_000_000)}, path)
        except OSError as error:
            print(error.errno == 27, error.filename == path, gotorch.load(path), os.listdir(os.path.dirname(path)))
    """, tmp_path / "c.pt")  # fmt: skip
    assert result.stdout == "True True {'n': 1} ['c.pt']\n", result.stderr


def test_errors_while_saving_leave_the_old_file(tmp_path):
    path = tmp_path / "c.pt"
    gotorch.save({"n": 1}, path)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        gotorch.save({"n": 2, "f": lambda: 0}, path)
    with pytest.raises(OSError):
        gotorch.save({}, tmp_path / "no" / "c.pt")
    with pytest.raises(OSError):
        gotorch.save({}, tmp_path)
    assert os.listdir(tmp_path) == ["c.pt"] and gotorch.load(path) == {"n": 1}


def test_saving_keeps_links_and_permissions(tmp_path):
    path, link = tmp_path / "c.pt", tmp_path / "link"
    gotorch.save(1, path)
    os.chmod(path, 0o640)
    link.symlink_to(path)
    gotorch.save(2, str(link))
    assert link.is_symlink() and gotorch.load(path) == 2 and path.stat().st_mode & 0o777 == 0o640


def test_killed_at_any_moment_the_old_or_the_new_file_is_there(tmp_path):
    """A process saves one state after another and is killed; 30 times."""
    path = tmp_path / "c.pt"
    script = textwrap.dedent("""
        import os, sys, gotorch
        for n in range(int(sys.argv[2]), 10**9):
            gotorch.save({"n": n, "x": gotorch.full((300, 1000), n), "y": [n] * 100}, sys.argv[1])
            os.write(1, b"%d\\n" % n)
    """)
    rng, n = random.Random(1), 0
    for _ in range(30):
        process = subprocess.Popen([sys.executable, "-c", script, str(path), str(n)], stdout=subprocess.PIPE)
        first = process.stdout.readline()  # it is at work
        time.sleep(rng.random() * 0.03)
        process.send_signal(signal.SIGKILL)
        written = [int(line) for line in (first + process.stdout.read()).splitlines()]
        process.wait()
        loaded = gotorch.load(path)
        n = loaded["n"]
        assert n in (written[-1], written[-1] + 1)
        assert loaded["y"] == [n] * 100 and bool((loaded["x"] == n).all())
    for name in os.listdir(tmp_path):
        assert name == "c.pt" or name.endswith(".tmp")


def test_safetensors_go_there_and_back(tmp_path):
    tensors = {str(d): (gotorch.arange(6) % 2).to(d).reshape(2, 3) for d in DTYPES}
    tensors["scalar"], tensors["empty"], tensors["turned"] = (
        gotorch.ones(()),
        gotorch.ones(0, 2),
        gotorch.randn(2, 3).t(),
    )
    safetensors.save_file(tensors, tmp_path / "f", metadata={"format": "pt"})
    for loaded in (safetensors.load_file(tmp_path / "f"), safetensors.load(safetensors.save(tensors))):
        assert loaded.keys() == tensors.keys() and all(same(loaded[k], tensors[k]) for k in tensors)
    assert safetensors.load_metadata(tmp_path / "f") == {"format": "pt"}
    content = (tmp_path / "f").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    assert length % 8 == 0 and content[8:9] == b"{"
    with pytest.raises(RuntimeError, match="safetensors"):
        safetensors.load(content[:-1])
    damaged = bytearray(content)
    damaged[-1] ^= 1
    with pytest.raises(RuntimeError, match="CRC"):
        safetensors.load(bytes(damaged))
    with pytest.raises(FileNotFoundError):
        safetensors.load_file(tmp_path / "none")
    with pytest.raises(TypeError):
        safetensors.save({"a": 1})


def test_safetensors_library_agrees(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    safetensors.save_file({"a": gotorch.arange(3.0), "b": gotorch.ones(2, dtype=gotorch.int16)}, tmp_path / "f")
    theirs = numpy.load_file(tmp_path / "f")
    assert theirs["a"].tolist() == [0, 1, 2] and theirs["b"].tolist() == [1, 1]
    assert same(safetensors.load(numpy.save(theirs))["a"], gotorch.arange(3.0))
