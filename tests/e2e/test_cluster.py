"""`bulkput upload --cluster`: a real Dask scheduler and its workers, each a process, to nginx."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from tests.e2e.cli import Ran, bulkput
from tests.e2e.cluster_world import begun as begun_cluster
from tests.servers.certificates import make_authority
from tests.servers.dask import RealDask, real_dask
from tests.servers.nginx import NginxDav, nginx_dav

FILES = 600
RATE = "150"
"""Per second: there is time to kill something."""
pytestmark = [pytest.mark.nginx, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def dask() -> Iterator[RealDask]:
    with real_dask(3) as running:
        yield running


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cluster") / "tree"
    for n in range(FILES):
        file = root / f"{n % 7}" / f"{n:04d}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(n))
    return root


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NginxDav]:
    """An nginx of the test's own, which writes a line for each PUT to `puts`."""
    log = f"access_log {tmp_path}/puts checksums;"
    (tmp_path / "files").mkdir()
    with nginx_dav(tmp_path / "files", locations=log) as running:
        yield running


def upload(dask: RealDask, tree: Path, store: NginxDav, *flags: str) -> Ran:
    return bulkput("upload", "--cluster", dask.address, "--summary", "-", *flags, tree, f"{store.url}/")


def begun(dask: RealDask, tree: Path, store: NginxDav, *flags: str, cwd: Path | None = None) -> "Popen[str]":
    """The same as a process of its own, when some files are stored."""
    return begun_cluster(dask, tree, f"{store.url}/", *flags, when=lambda: len(names(store)) >= FILES // 6, cwd=cwd)


def names(store: NginxDav) -> set[str]:
    return {str(each.relative_to(store.root)) for each in store.root.rglob("*") if each.is_file()}


def puts(store: NginxDav) -> Counter[str]:
    """How often each object was put."""
    lines = (store.root.parent / "puts").read_text().splitlines()
    return Counter(line.split()[1] for line in lines if line.startswith("PUT"))


def is_same(tree: Path, store: NginxDav) -> bool:
    return subprocess.run(["diff", "-r", tree, store.root], check=False).returncode == 0


def test_each_worker_sends_a_part_of_the_files(dask: RealDask, tree: Path, store: NginxDav) -> None:
    """All files arrive, each once; nothing of Dask's is on stderr."""
    ran = upload(dask, tree, store)
    assert ran.exit_code == 0, ran.err
    assert is_same(tree, store)
    assert set(puts(store).values()) == {1}
    assert set(ran.summary["workers"]) == {address.removeprefix("tcp://") for address in dask.workers}
    assert sum(ran.summary["workers"].values()) == FILES
    assert "distributed" not in ran.err and "Traceback" not in ran.err


def test_a_relative_source_is_the_same_for_workers_elsewhere(dask: RealDask, tree: Path, store: NginxDav) -> None:
    """They have other current directories; a list of files has a base, too."""
    words = ("upload", "--cluster", dask.address)
    ran = bulkput(*words, "tree", f"{store.url}/", cwd=tree.parent)
    assert ran.exit_code == 0 and is_same(tree, store), ran.err
    (store.root.parent / "list").write_text("0001\n0008\n")
    ran = bulkput(
        *words, "--files-from", store.root.parent / "list", "--base", "tree/1", f"{store.url}/listed/", cwd=tree.parent
    )
    assert ran.exit_code == 0, ran.err
    assert {"listed/0001", "listed/0008"} <= names(store)


def test_names_and_logs_of_tasks_show_no_secret(dask: RealDask, tree: Path, store: NginxDav) -> None:
    """The driver's variables go along in memory."""
    words = ("upload", "--cluster", dask.address, tree, f"{store.url}/")
    ran = bulkput(*words, environ={"ST_KEY": "a-secret-to-be-found"})
    assert ran.exit_code == 0, ran.err
    assert "a-secret-to-be-found" not in dask.logs + ran.err + ran.out


def test_a_killed_worker_costs_no_file(tree: Path, store: NginxDav) -> None:
    """Its files are sent by the others, and the summary counts it. What it had in hand may be sent twice."""
    with real_dask(3) as dask:
        running = begun(dask, tree, store, "--rate", RATE, "--json")
        dask.kill_worker(next(iter(dask.workers)))
        out, err = running.communicate(timeout=120)
        assert running.returncode == 0, err
        rows = [json.loads(line) for line in out.splitlines()]
        assert (rows[-1]["uploaded"], rows[-1]["failed"], rows[-1]["workers_lost"]) == (FILES, 0, 1)
        (lost,) = [row for row in rows if row.get("event") == "worker_lost"]
        assert is_same(tree, store)
        assert sum(puts(store).values()) - FILES <= lost["files"]
        assert "distributed" not in err and "Traceback" not in err


def test_a_new_worker_takes_the_place_of_a_killed_one(tree: Path, store: NginxDav) -> None:
    """The only worker is killed; the run waits for another."""
    with real_dask(1) as dask:
        running = begun(dask, tree, store, "--rate", RATE)
        dask.kill_worker(next(iter(dask.workers)))
        other = dask.start_worker()
        out, err = running.communicate(timeout=120)
        assert running.returncode == 0, err
        summary = json.loads(out)
        assert (summary["uploaded"], summary["workers_lost"]) == (FILES, 1)
        assert other.removeprefix("tcp://") in summary["workers"]
        assert is_same(tree, store)


def test_a_killed_driver_loses_nothing_and_sends_nothing_twice_but_what_was_in_flight(
    dask: RealDask, tree: Path, store: NginxDav, tmp_path: Path
) -> None:
    """The same command with the same journal sends the rest."""
    journal = str(tmp_path / "up.db")
    killed = begun(dask, tree, store, "--rate", RATE, "--journal", journal)
    killed.kill()
    killed.communicate()
    ran = upload(dask, tree, store, "--journal", journal)
    assert ran.exit_code == 0, ran.err
    assert is_same(tree, store)
    window = 64 * len(dask.workers)
    known = ran.summary["skipped"]
    assert ran.summary["uploaded"] + known == FILES and known > 0
    assert sum(puts(store).values()) - FILES <= window + int(RATE), "a lane's window, and a second of the journal"


def test_ctrl_c_reaches_the_workers(dask: RealDask, tree: Path, store: NginxDav) -> None:
    """The command ends with 130 and its summary; no worker sends on."""
    running = begun(dask, tree, store, "--rate", RATE)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    summary = json.loads(out)
    assert 0 < summary["uploaded"] < FILES
    assert sum(puts(store).values()) == summary["uploaded"] == len(names(store))


def test_a_worker_that_cannot_see_the_sources_is_named_before_anything_is_sent(tree: Path, store: NginxDav) -> None:
    """/proc/self/cwd is another directory for one worker: to it, the sources are not mounted."""
    with real_dask(0) as dask:
        dask.start_worker(cwd=tree.parent)
        blind = dask.start_worker(cwd=store.root).removeprefix("tcp://")
        source = "/proc/self/cwd/tree"
        ran = bulkput("upload", "--cluster", dask.address, source, f"{store.url}/", cwd=tree.parent)
    assert ran.exit_code == 2
    assert f"the worker {blind} does not see {source}: mount the sources there, at the same path" in ran.err
    assert names(store) == set()


def test_a_worker_that_comes_later_and_cannot_see_the_sources_gets_none_of_them(tree: Path, store: NginxDav) -> None:
    """A warning names it, and the run goes on with the next."""
    with real_dask(0) as dask:
        first = dask.start_worker(cwd=tree.parent)
        source = Path("/proc/self/cwd/tree")
        running = begun(dask, source, store, "--rate", RATE, cwd=tree.parent)
        dask.kill_worker(first)
        blind = dask.start_worker(cwd=store.root).removeprefix("tcp://")
        third = dask.start_worker(cwd=tree.parent).removeprefix("tcp://")
        out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    assert set(json.loads(out)["workers"]) == {first.removeprefix("tcp://"), third}
    assert is_same(tree, store)
    if blind in err:  # it was asked first
        assert f"the worker {blind} does not see {source}" in err


OTHER_VERSION = "import bulkput; bulkput.__version__ = '0.0'"


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        (
            "bulkput/__init__.py",
            "",
            r"the worker \S+ cannot import bulkput \(No module named 'bulkput\.scale'\): install",
        ),
        (
            "sitecustomize.py",
            OTHER_VERSION,
            r"the worker \S+ has bulkput 0\.0, and this is \S+: install the same version",
        ),
    ],
)
def test_a_worker_without_this_bulkput_is_named(
    tree: Path, store: NginxDav, tmp_path: Path, file: str, text: str, sentence: str
) -> None:
    """One sentence, exit code 2, and nothing is sent."""
    (module := tmp_path / "other" / file).parent.mkdir(parents=True)
    module.write_text(text)
    with real_dask(0) as dask:
        dask.start_worker(environ={"PYTHONPATH": str(tmp_path / "other")})
        ran = upload(dask, tree, store)
    assert ran.exit_code == 2 and re.search(sentence, ran.err), ran.err
    assert "Traceback" not in ran.err and names(store) == set()


def test_a_scheduler_without_bulkput_is_named(tree: Path, store: NginxDav, tmp_path: Path) -> None:
    """Dask's schedulers read the tasks that they pass on."""
    (module := tmp_path / "other" / "bulkput" / "__init__.py").parent.mkdir(parents=True)
    module.write_text("")
    with real_dask(0, environ={"PYTHONPATH": str(tmp_path / "other")}) as dask:
        dask.start_worker(environ={"PYTHONPATH": ""})
        ran = upload(dask, tree, store)
    assert ran.exit_code == 2 and f"the scheduler {dask.address} cannot import bulkput (No module" in ran.err, ran.err
    assert "Traceback" not in ran.err and names(store) == set()


def test_without_a_scheduler_one_sentence_says_so(tree: Path, store: NginxDav) -> None:
    """Nothing listens at the address."""
    ran = bulkput("upload", "--cluster", "tcp://127.0.0.1:1", tree, f"{store.url}/")
    assert ran.exit_code == 2
    assert re.search(r"bulkput: no Dask scheduler answers at tcp://127\.0\.0\.1:1: .*refused", ran.err)
    assert "Traceback" not in ran.err


def test_ctrl_c_ends_a_run_that_waits_for_a_scheduler(tree: Path, store: NginxDav) -> None:
    """Something listens at the address, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        words = ["upload", "--cluster", address, "--summary", "-", str(tree), f"{store.url}/"]
        running = Popen([sys.executable, "-m", "bulkput", *words], stdout=PIPE, stderr=PIPE, text=True)
        accepted, _ = silent.accept()
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
        accepted.close()
    assert running.returncode == 130, err
    assert json.loads(out)["uploaded"] == 0 and "Traceback" not in err


@pytest.mark.parametrize("address", ["127.0.0.1:8786", "http://a:1", "tcp://", "tcp://a"])
def test_an_address_of_another_form_is_refused(tree: Path, store: NginxDav, address: str) -> None:
    """Exit code 2."""
    ran = bulkput("upload", "--cluster", address, tree, f"{store.url}/")
    assert ran.exit_code == 2 and "tcp://HOST:PORT or tls://HOST:PORT" in ran.err


def test_a_cluster_and_processes_exclude_each_other(tree: Path, store: NginxDav) -> None:
    """Exit code 2."""
    ran = bulkput("upload", "--cluster", "tcp://127.0.0.1:1", "--processes", "2", tree, f"{store.url}/")
    assert ran.exit_code == 2 and "exclude each other" in ran.err


def test_a_scheduler_that_dies_stops_the_run_with_3(tree: Path, store: NginxDav) -> None:
    """One sentence says why; the rest is reported as not sent."""
    with real_dask(2) as dask:
        running = begun(dask, tree, store, "--rate", RATE)
        dask.scheduler.kill()
        out, err = running.communicate(timeout=120)
        assert running.returncode == 3, err
        assert json.loads(out)["skipped"] > 0
        assert f"the Dask scheduler at {dask.address} is gone" in err and "Traceback" not in err


def test_tls_is_as_dask_is_configured(tree: Path, store: NginxDav, tmp_path: Path) -> None:
    """Certificates of a real authority, by Dask's own variables; without them the run is refused."""
    made = make_authority(tmp_path).issue("127.0.0.1")
    environ = {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True"}
    environ["DASK_DISTRIBUTED__COMM__TLS__CA_FILE"] = str(made.authority)
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        environ[f"DASK_DISTRIBUTED__COMM__TLS__{role}__CERT"] = str(made.file)
        environ[f"DASK_DISTRIBUTED__COMM__TLS__{role}__KEY"] = str(made.key)
    with real_dask(1, scheme="tls", environ=environ) as dask:
        words = ("upload", "--cluster", dask.address, tree, f"{store.url}/")
        assert dask.address.startswith("tls://")
        refused = bulkput(*words)
        assert refused.exit_code == 2 and "cannot connect to the Dask scheduler" in refused.err, refused.err
        ran = bulkput(*words, environ=environ)
        assert ran.exit_code == 0, ran.err
        assert is_same(tree, store)
