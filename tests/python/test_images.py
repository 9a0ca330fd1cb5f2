"""Images: what is saved in one process is the same in another, and nothing else is ever mapped."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from forking import HAS_IMMORTAL_OBJECTS, run_python
from image_module import MODULE

SEED = {"PYTHONHASHSEED": "7"}
# Where the interpreter lies at the same addresses in each process, nothing moves.
STILL = ("setarch", "-R")


def can_stand_still() -> bool:
    """Some sandboxes refuse personality(ADDR_NO_RANDOMIZE)."""
    try:
        return subprocess.run([*STILL, "true"], capture_output=True).returncode == 0
    except OSError:
        return False


needs_setarch = pytest.mark.skipif(not can_stand_still(), reason="setarch -R is refused here")

SAVE = """
import image_data
arena = fa.pack(image_data.everything(), "all of it")
arena.save(sys.argv[1])
"""
SAVE_RECORDS = """
rows = [{"id": i, "name": f"name {i}", "tags": [str(i), i / 3], "at": (i, None, i % 2 == 0)}
        for i in range(int(sys.argv[2]))]
fa.pack(rows).save(sys.argv[1])
"""
READ_RECORDS = """
image = fa.open_image(sys.argv[1])
rows = image.root
for i, row in enumerate(rows):
    assert row["id"] == i and row["name"] == f"name {i}" and row["tags"] == [str(i), i / 3], row
    assert row["at"] == (i, None, i % 2 == 0) and hash(row["at"]) is not None
del row
gc.collect()
lanes = image.arena.sharing().lanes
private = [lanes["objects"].private_os_pages, lanes["payload"].private_os_pages]
report = image.report
print(json.dumps({"private": private, "patched": report.patched_words,
                  "pages": report.private_os_pages, "os_pages": report.nbytes // 4096,
                  "audit": image.arena._handle.audit()}))
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "image_data.py").write_text(MODULE)
    return str(tmp_path / "data.image")


def env(path: str, **more: str | None) -> dict[str, str | None]:
    found = [str(Path(path).parent), str(Path(__file__).parent)]
    return {**SEED, "PYTHONPATH": os.pathsep.join(found), **more}


def python(source: str, path: str, *args: str, **more: object) -> object:
    variables = env(path, **more.pop("env", {}))  # type: ignore[arg-type]
    return run_python(source, path, *args, env=variables, **more)  # type: ignore[arg-type]


def refusal(path: str, *, verify: bool = False, **more: object) -> str:
    """What opening the file says, in a fresh process; it must be an ImageError."""
    return python(  # type: ignore[attr-defined,no-any-return]
        f"""
try:
    fa.open_image(sys.argv[1], verify={verify})
    print(json.dumps(""))
except fa.ImageError as error:
    print(json.dumps(str(error)))
assert [arena for arena in fa.arenas() if arena.nbytes] == []
""",
        path,
        **more,
    ).json


def test_another_process_sees_the_same_data(path: str) -> None:
    python(SAVE, path)
    python(
        """
import image_data, pickle
with fa.open_image(sys.argv[1], verify=True) as image:
    found, wanted = image.root, image_data.everything()
    image_data.compare(found, wanted)
    assert found in image and found["records"][3] in image and image.report.objects > 500
    assert found["shared"][0] is found["shared"][1], "what was one object is one"
    assert found["cycle"][0] is found["cycle"]
    again = pickle.loads(pickle.dumps(found["records"]))
    assert again == wanted["records"]
try:
    image.root
    raise AssertionError("not closed")
except fa.ImageError:
    pass
gc.collect()
image_data.compare(found, wanted)
""",
        path,
    )


def test_an_open_image_is_changed_like_any_data_and_the_file_is_not(path: str) -> None:
    python(SAVE, path)
    python(
        """
import copy, image_data
before = open(sys.argv[1], "rb").read()
data = fa.open_image(sys.argv[1]).root
image_data.change(data)
for _ in range(3):
    gc.collect()
image_data.check_changed(data)
assert fa.open_image(sys.argv[1]).root is data, "mapped once in a process"
copy.deepcopy(data["records"])
def child():
    image_data.check_changed(data)
    data["records"].clear()
fork_and_report(child)
image_data.check_changed(data)
data.clear()
gc.collect()
assert open(sys.argv[1], "rb").read() == before
""",
        path,
    )
    assert Path(path).stat().st_mode & 0o222 == 0, "nobody writes to an image by accident"


@needs_setarch
def test_reading_an_image_that_lies_where_it_was_built_copies_nothing(path: str) -> None:
    python(SAVE_RECORDS, path, "20000", wrap=STILL)
    seen = python(READ_RECORDS, path, wrap=STILL).json  # type: ignore[attr-defined]
    assert seen["patched"] == 0
    assert seen["private"][1] == 0
    if HAS_IMMORTAL_OBJECTS:
        assert sum(seen["private"]) <= 8
    assert seen["audit"] is None


def test_what_lies_elsewhere_is_patched_and_counted(path: str) -> None:
    python(SAVE_RECORDS, path, "5000")
    for _ in range(2):
        seen = python(READ_RECORDS, path).json  # type: ignore[attr-defined]
        assert seen["audit"] is None
        assert seen["pages"] <= seen["os_pages"]
        assert (seen["pages"] > 0) == (seen["patched"] > 0)
        assert seen["private"][1] <= seen["pages"]


def test_instances_of_classes_are_patched_and_their_class_lives_on(path: str) -> None:
    python(SAVE, path)
    python(
        """
import image_data
image = fa.open_image(sys.argv[1])
assert image.report.patched_words > 0 and "image_data" not in image.report.imported
record = image.root["records"][0]
assert type(record) is image_data.Record
count = sys.getrefcount(image_data.Record)
image.root["records"].clear()
del record
gc.collect()
assert sys.getrefcount(image_data.Record) <= count
new = image_data.Record("x", None, None, None, [])
new.more = 1
assert vars(new)["more"] == 1
""",
        path,
    )


@pytest.mark.parametrize(
    ("root", "place", "reason"),
    [
        ("{'x': [0, {'gen': bytearray(b'x')}]}", "root['x'][1]['gen']: ", "bytearray"),
        ("[[local()]]", "root[0][0].__class__: ", "cannot be imported"),
        ("{local: 1}", "root: ", "hashed by its address"),
        ("[{Plain(): 1}]", "root[0]", "hashed by its address"),
        ("[{float('nan')}]", "root[0]", "hashed by its address"),
        ("[Finalised()]", "root[0]", "Finalised cannot be saved"),
        ("None", "root: ", "every process has it"),
    ],
)
def test_what_cannot_be_saved_is_named_with_its_place(
    path: str, root: str, place: str, reason: str
) -> None:
    message = python(
        f"""
from image_data import Plain, Finalised
def make():
    class Local: pass
    return Local
local = make()
arena = fa.pack({root})
try:
    arena.save(sys.argv[1])
    message = ""
except fa.ImageError as error:
    message = str(error)
assert not os.path.exists(sys.argv[1]) and len(os.listdir(os.path.dirname(sys.argv[1]))) <= 2
print(json.dumps(message))
""",
        path,
    ).json  # type: ignore[attr-defined]
    assert message.startswith(place), message
    assert reason in message, message


@pytest.mark.once
def test_only_what_pack_made_can_be_saved(path: str) -> None:
    python(
        """
with frozen_arena() as arena:
    data = [1, 2]
try:
    arena.save(sys.argv[1])
    raise AssertionError("saved")
except fa.ArenaStateError as error:
    assert "pack" in str(error)
arena = fa.pack({"rows": [[1]]})
arena.root["rows"].append([2])
try:
    arena.save(sys.argv[1])
    raise AssertionError("saved")
except fa.ImageError as error:
    assert "root['rows'][1]" in str(error) and "pack the data again" in str(error), error
""",
        path,
    )


@pytest.mark.once
def test_another_seed_is_refused_and_the_message_names_it(path: str) -> None:
    python(SAVE, path)
    assert "PYTHONHASHSEED" in refusal(path, env={"PYTHONHASHSEED": "8"})
    assert "PYTHONHASHSEED" in refusal(path, env={"PYTHONHASHSEED": None})
    python("assert fa.open_image(sys.argv[1]).root", path)


@pytest.mark.once
def test_a_class_that_is_laid_out_differently_is_refused(path: str) -> None:
    python(SAVE, path)
    module = Path(path).parent / "image_data.py"
    module.write_text(MODULE.replace('("left", "right",', '("right", "new", "left",'))
    assert "laid out differently" in refusal(path)
    module.write_text(MODULE.replace("Point = coll", "Other = coll"))
    assert "image_data.Point" in refusal(path)
    module.unlink()
    assert "not to be had here" in refusal(path)


def test_a_key_whose_hash_depends_on_the_process_is_refused(path: str) -> None:
    python(
        """
import image_data
fa.pack({image_data.Fickle(): 1}).save(sys.argv[1])
""",
        path,
    )
    message = python(
        """
try:
    fa.open_image(sys.argv[1])
    print(json.dumps(""))
except fa.ImageError as error:
    print(json.dumps(str(error)))
""",
        path,
        env={"FICKLE": "2"},
    ).json  # type: ignore[attr-defined]
    assert "hash" in message


EDIT = """
import hashlib, struct
from frozen_arena.imaging import file
def parts(data):
    place, length = struct.unpack_from("<QQ", data, 24)
    return place, json.loads(data[place : place + length])
def with_facts(data, facts):
    place, _ = parts(data)
    text = facts if isinstance(facts, bytes) else json.dumps(facts).encode()
    return file.head_of(place, text) + data[64:place] + text
def opened(data, name=sys.argv[1] + ".edited"):
    with open(name, "wb") as out:
        out.write(data)
    try:
        fa.open_image(name, verify=True)
        return ""
    except fa.ImageError as error:
        return str(error)
good = open(sys.argv[1], "rb").read()
place, facts = parts(good)
"""


@pytest.mark.once
def test_another_version_or_build_is_refused_before_anything_is_mapped(path: str) -> None:
    python(SAVE_RECORDS, path, "100")
    python(
        EDIT
        + """
for key, wrong, said in [
    ("python", "2.7.18 (default)", "2.7.18"), ("implementation", "cpython-27", "cpython-27"),
    ("debug", None, "debug"), ("build", "libpython:00", "another build"), ("pointer", 4, "size"),
    ("byteorder", "big", "order"), ("layout", "0", "layouts"), ("hash", ["fnv"], "algorithm"),
    ("seed", "0", "PYTHONHASHSEED"),
]:
    other = json.loads(json.dumps(facts))
    other["identity"][key] = wrong
    message = opened(with_facts(good, other))
    assert said in message and "save" in message, (key, message)
assert "format 2" in opened(good[:16] + struct.pack("<I", 2) + good[20:])
assert opened(b"") and opened(b"\\0" * 5000) and opened(good[:64]) and opened(good[::-1])
for cut in (65, 64 * 1024, len(good) // 2, len(good) - 1):
    assert "ends before" in opened(good[:cut]) or "damaged" in opened(good[:cut])
assert fa.arenas() == []
assert opened(good) == "" and len(fa.arenas()) == 1
""",
        path,
    )


@pytest.mark.once
def test_damaged_headers_and_tables_are_errors_and_never_a_crash(path: str) -> None:
    """Bytes flipped anywhere outside the body, and descriptions that fit their digest and lie."""
    python(SAVE_RECORDS, path, "50")
    python(
        EDIT
        + """
import random
random.seed(int(sys.argv[2]))
body_end = 64 * 1024 + facts["objects_bytes"] + facts["payload_bytes"]
for _ in range(int(sys.argv[3])):
    data = bytearray(good)
    for _ in range(random.choice((1, 1, 3))):
        at = random.choice((random.randrange(64), random.randrange(body_end, len(good))))
        data[at] ^= 1 << random.randrange(8)
    assert opened(bytes(data)) or bytes(data) == good
odd = [-1, 0, 1, 15, 2**16, 2**20, 2**31, 2**32, 2**47, 2**62, 2**63, 2**64, 2**200, 1.5, None,
       True, "", "x", [], {}, [1], {"a": 1}]
def paths(value, here=()):
    yield here
    items = value.items() if isinstance(value, dict) else enumerate(value) \\
        if isinstance(value, list) else ()
    for key, inner in list(items)[:12]:
        yield from paths(inner, (*here, key))
harmless = {("saved",), ("id",), ("objects",), ("blocks",), ("live", 0), ("live", 1)}
never = {("base",), ("root",)}  # within bounds they are believed: the digest says whose they are
places = [p for p in paths(facts) if p and p not in harmless | never]
for _ in range(int(sys.argv[3])):
    lie = json.loads(json.dumps(facts))
    where = random.choice(places)
    at = lie
    for key in where[:-1]:
        at = at[key]
    if random.random() < 0.2 and isinstance(at, dict):
        del at[where[-1]]
    else:
        value = random.choice(odd)
        if value == at[where[-1]]:
            continue
        at[where[-1]] = value
    message = opened(with_facts(good, lie))
    assert message or where[0] in ("externals", "builds"), (where, lie)
    if not message:
        raise AssertionError((where, at))
for text in (b"", b"null", b"[]", b"{}", b"{" * 100_000, b"\\xff\\xfe", b'{"identity": 5}'):
    assert opened(with_facts(good, text)), text
assert fa.arenas() == []
assert opened(good) == "", opened(good)
""",
        path,
        "1",
        "150",
    )


@pytest.mark.once
def test_verify_finds_each_flipped_bit_of_the_body(path: str) -> None:
    python(SAVE_RECORDS, path, "50")
    python(
        EDIT
        + """
import random
random.seed(5)
body_end = 64 * 1024 + facts["objects_bytes"] + facts["payload_bytes"]
for at in [64 * 1024, body_end - 1, *(random.randrange(64 * 1024, body_end) for _ in range(60))]:
    data = bytearray(good)
    data[at] ^= 1 << random.randrange(8)
    assert "differs from its digest" in opened(bytes(data)), at
""",
        path,
    )


@pytest.mark.once
def test_two_savers_at_once_leave_one_whole_image(path: str) -> None:
    command = [sys.executable, "-c", "import json, sys, frozen_arena as fa\n" + SAVE_RECORDS]
    variables = {**os.environ, **SEED}
    savers = [
        subprocess.Popen([*command, path, "3000"], env=variables, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    ends = [saver.communicate()[1] for saver in savers]
    assert [saver.returncode for saver in savers] == [0, 0, 0], ends
    assert sorted(one.name for one in Path(path).parent.iterdir()) == [
        "data.image",
        "image_data.py",
    ]
    python("assert len(fa.open_image(sys.argv[1], verify=True).root) == 3000", path)


@pytest.mark.once
def test_a_full_disk_and_a_missing_folder_leave_what_was_there(path: str) -> None:
    python(
        """
import resource
fa.pack(["first"]).save(sys.argv[1])
big = fa.pack([f"text {i}" * 20 for i in range(20_000)])
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
for target in (sys.argv[1], "/nowhere/at/all.image", os.path.dirname(sys.argv[1])):
    try:
        big.save(target)
        raise AssertionError("saved")
    except fa.ImageError as error:
        assert "could not be written" in str(error), error
assert fa.open_image(sys.argv[1]).root == ["first"]
assert sorted(os.listdir(os.path.dirname(sys.argv[1]))) == ["data.image", "image_data.py"]
""",
        path,
    )


@pytest.mark.once
def test_a_file_that_is_replaced_while_it_is_open_stays_as_it_was(path: str) -> None:
    python(
        """
fa.pack([[i] for i in range(20_000)]).save(sys.argv[1])
old = fa.open_image(sys.argv[1]).root
fa.pack([["new"]]).save(sys.argv[1])
assert fa.open_image(sys.argv[1]).root == [["new"]]
os.unlink(sys.argv[1])
assert old == [[i] for i in range(20_000)]
""",
        path,
    )


def test_addresses_that_are_taken_are_a_named_error(path: str) -> None:
    python(SAVE_RECORDS, path, "50")
    message = python(
        EDIT
        + """
import ctypes
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
assert libc.mmap(facts["base"], 4096, 0, 0x100022, -1, 0) == facts["base"]
print(json.dumps(opened(good)))
assert fa.arenas() == []
""",
        path,
    ).json  # type: ignore[attr-defined]
    assert "taken" in message


def test_a_child_shares_an_open_image(path: str) -> None:
    python(SAVE_RECORDS, path, "5000")
    private = python(
        """
image = fa.open_image(sys.argv[1])
def read():
    before = image.arena.sharing().lanes
    for row in image.root:
        assert row["name"]
    gc.collect()
    after = image.arena.sharing().lanes
    return [after[lane].private_os_pages - before[lane].private_os_pages for lane in after]
print(json.dumps(fork_and_report(read)))
""",
        path,
    ).json  # type: ignore[attr-defined]
    assert private[1] == 0
    if HAS_IMMORTAL_OBJECTS:
        assert private[0] <= 1


def command(path: str, *words: str, status: int = 0) -> str:
    """What `frozen-arena` prints, run where the module of the data lies."""
    done = subprocess.run(
        [sys.executable, "-m", "frozen_arena", *words],
        cwd=Path(path).parent,
        capture_output=True,
        text=True,
        env={name: text for name, text in os.environ.items() if name != "PYTHONHASHSEED"},
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.once
def test_the_commands_write_an_image_tell_of_it_and_run_programs_on_it(path: str) -> None:
    packed = json.loads(command(path, "pack", "image_data:everything", "-o", path, "--json"))
    assert packed["file_bytes"] == Path(path).stat().st_size
    assert "fits" in command(path, "info", path) or "PYTHONHASHSEED" in command(path, "info", path)
    found = json.loads(command(path, "info", path, "--json"))
    assert found["objects"] > 500
    assert "image_data.Record" in found["refers_to"]
    assert "whole" in command(path, "verify", path)
    program = Path(path).parent / "program.py"
    program.write_text(
        "import image_data, subprocess, sys\nimport frozen_arena as fa\n"
        "image_data.compare(fa.open_image(sys.argv[1]).root, image_data.everything())\n"
        "if len(sys.argv) == 2: subprocess.check_call([sys.executable, *sys.argv, 'inner'])\n"
        "print('done', *sys.argv[2:])\n"
    )
    said = command(path, "run", "--image", path, str(program), path)
    assert said.split("\n")[:2] == ["done inner", "done"]
    damaged = Path(path).parent / "damaged.image"
    data = bytearray(Path(path).read_bytes())
    data[70_000] ^= 1
    damaged.write_bytes(data)
    assert "differs from its digest" in command(path, "verify", str(damaged), status=1)
    assert "no image" in command(path, "info", str(program), status=1)
    command(path, "pack", "image_data:nothing", "-o", path, status=2)
    command(path, "pack", "image_data:Finalised", "-o", path, status=1)
