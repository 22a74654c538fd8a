"""`usearch doctor`: what it finds in environments made up for the purpose."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import toy_preset
from toys import load_toys

from indexer.pipeline import index_photos
from usearch.cli import main
from usearch.health import accelerator, install


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty current folder, and our own program as the only `usearch` on PATH."""
    program = tmp_path / "bin" / "usearch"
    program.parent.mkdir()
    program.write_text("#!/usr/bin/python3\nfrom usearch.cli import main\nmain()\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(accelerator, "nvidia_driver", lambda: None)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Makes it look as if a distribution of a version were installed, before all others."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def install_(name, version, *requires):
        folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
        )

    return install_


def only_installed(monkeypatch, **versions):
    """The versions that `version_of` finds; nothing else is installed."""
    found = {name.replace("_", "-"): version for name, version in versions.items()}
    monkeypatch.setattr(accelerator, "version_of", found.get)


def findings(capsys, *words):
    main(["doctor", "--json", *words])
    return json.loads(capsys.readouterr().out)["findings"]


def about(found, topic):
    return [(f["state"], f["said"], f["advice"]) for f in found if f["topic"] == topic]


def states(found):
    return [finding.state for finding in found]


def test_it_says_versions_machine_packages_models_and_places(capsys):
    found = findings(capsys)
    topics = {f["topic"] for f in found}
    assert {
        "usearch", "python", "machine", "packages", "name clash", "gpu", "faiss", "preset mini",
        "weights", "preset clip", "preset large", "segmenter sam", "settings", "cache", "store",
    } <= topics  # fmt: skip
    [(state, said, _)] = about(found, "preset mini")
    assert state == "ok" and "checksums verified" in said


def test_into_a_pipe_a_finding_is_a_line_and_the_next_step_goes_to_stderr(capsys):
    assert main(["doctor"]) == 0
    out, err = capsys.readouterr()
    assert {line.split("\t")[0] for line in out.splitlines()} <= {"ok", "note", "problem"}
    assert all(line.count("\t") == 3 for line in out.splitlines())
    assert "next: usearch index FOLDER" in err


def test_on_a_terminal_it_is_a_table(capsys, monkeypatch):
    monkeypatch.setattr("usearch.cli.doctor.is_terminal", lambda: True)
    assert main(["doctor"]) == 0
    assert "found" in capsys.readouterr().out


def test_the_other_project_of_this_name_is_a_problem_and_strict_ends_with_9(installed, capsys):
    installed("usearch", "2.26.6")
    [(state, said, advice)] = about(findings(capsys), "name clash")
    assert state == "problem" and "`usearch` 2.26.6 (a vector index" in said
    assert "pip uninstall usearch" in advice
    assert main(["doctor"]) == 0
    assert main(["doctor", "--strict"]) == 9
    assert "pip uninstall usearch" in capsys.readouterr().err


def test_a_package_that_was_written_over_is_a_problem(monkeypatch, capsys):
    theirs = SimpleNamespace(__version__="2.26.6", __file__="site/usearch/__init__.py")
    monkeypatch.setattr(install, "usearch", theirs)
    state, said, _ = about(findings(capsys), "name clash")[0]
    assert state == "problem" and "is not ours" in said


@pytest.mark.parametrize(("first", "state"), [(True, "problem"), (False, "note")])
def test_another_program_called_usearch_matters_where_it_comes_first(
    tmp_path, monkeypatch, capsys, first, state
):
    other = tmp_path / "dna" / "usearch"
    other.parent.mkdir()
    other.write_bytes(b"\x7fELF sequence search")
    other.chmod(0o755)
    folders = [tmp_path / "dna", tmp_path / "bin"]
    monkeypatch.setenv("PATH", ":".join(map(str, folders if first else folders[::-1])))
    [(found, said, _)] = about(findings(capsys), "name clash")
    assert found == state and str(other) in said


def test_a_usearch_that_is_not_on_path_is_worth_a_note(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    [(state, said, advice)] = about(findings(capsys), "name clash")
    assert (state, said) == ("note", "`usearch` is not on PATH")
    assert "python -m usearch" in advice


def test_two_distributions_of_faiss_are_a_problem(installed, capsys):
    installed("faiss-gpu", "1.15.1")
    [(state, said, advice)] = about(findings(capsys), "faiss")
    assert state == "problem" and "faiss-cpu" in said and "faiss-gpu 1.15.1" in said
    assert "pip install faiss-gpu" in advice


@pytest.mark.parametrize(
    ("versions", "driver", "state", "said"),
    [
        ({}, None, "problem", "not installed"),
        ({"faiss_cpu": "1"}, None, "ok", "searches on the CPU"),
        ({"faiss_cpu": "1"}, "550.1", "note", "searches on the CPU"),
        ({"faiss_gpu": "1"}, "550.1", "ok", "can search on the GPU"),
        ({"faiss_gpu": "1"}, None, "note", "there is no NVIDIA driver"),
    ],
)
def test_faiss_is_for_the_cpu_or_the_gpu(monkeypatch, versions, driver, state, said):
    only_installed(monkeypatch, **versions)
    monkeypatch.setattr(accelerator, "nvidia_driver", lambda: driver)
    [found] = accelerator.check_faiss()
    assert found.state == state and said in found.said


def test_a_torchvision_for_another_torch_is_named(installed):
    installed("torch", "2.9.0+cpu")
    installed("torchvision", "0.23.1", "numpy", "torch (==2.8.1)")
    [_, found] = accelerator.check_torch()
    assert (
        found.state == "problem" and "was made for torch 2.8.1, here is torch 2.9.0" in found.said
    )


def test_builds_for_two_cudas_are_named(installed):
    installed("torch", "2.9.0+cu126")
    installed("torchvision", "0.24.0+cpu", "torch==2.9.0")
    found = list(accelerator.check_torch())
    assert [f.said for f in found if f.state == "problem"] == [
        "torch is built for cu126, torchvision for cpu"
    ]


@pytest.mark.parametrize(
    ("build", "driver", "state", "said"),
    [
        ("cu128", "550.54", None, ""),
        ("cu130", "550.54", "problem", "needs driver 580"),
        ("cu118", None, "note", "no NVIDIA driver"),
        ("cpu", "550.54", "note", "the GPU is not used"),
        ("cpu", None, None, ""),
    ],
)
def test_torch_and_driver_fit_or_the_mismatch_is_named(monkeypatch, build, driver, state, said):
    only_installed(monkeypatch, torch=f"2.9.0+{build}")
    monkeypatch.setattr(accelerator, "nvidia_driver", lambda: driver)
    found = [f for f in accelerator.check_torch() if f.state != "ok"]
    assert [f.state for f in found] == ([state] if state else [])
    assert all(said in f.said for f in found)


def test_without_torch_nothing_is_said_about_it(monkeypatch):
    only_installed(monkeypatch)
    assert list(accelerator.check_torch()) == list(accelerator.check_torch_deep()) == []


def test_a_torch_that_does_not_import_is_named_by_its_own_words(monkeypatch):
    only_installed(monkeypatch, torch="2.9.0")
    monkeypatch.setattr(accelerator, "_PROBE", "raise ImportError('libcudnn.so.9: no such file')")
    [found] = accelerator.check_torch_deep()
    assert found.state == "problem" and "libcudnn.so.9" in found.said


def test_missing_packages_are_a_problem(monkeypatch):
    monkeypatch.setattr(install, "version_of", lambda name: None if name == "duckdb" else "1.0")
    found = [f for f in install.check_installation() if f.state == "problem"]
    assert [f.said for f in found] == ["duckdb is not installed"]


def test_wrong_settings_are_a_problem_and_stop_nothing(here, capsys):
    (here / "usearch.toml").write_text("tpo = 3\n")
    wrong = [f for f in findings(capsys) if f["state"] == "problem"]
    assert [f["topic"] for f in wrong] == ["settings"]
    assert "usearch.toml:1: there is no setting 'tpo'" in wrong[0]["said"]


def test_weights_that_are_cut_off_are_a_problem(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("USEARCH_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "sam_vit_h_4b8939.pth").write_bytes(b"half")
    [(state, said, advice)] = about(findings(capsys), "segmenter sam")
    assert state == "problem" and "has not the published size" in said
    assert "usearch models pull sam-vit-h" in advice


def make_store(folder, photo="a.png"):
    toy_preset.quarters(folder / photo, "red", "green", "blue", "white")
    index_photos([folder], folder / ".usearch", load_toys, preset="mini", workers=0)
    return folder / ".usearch"


def test_a_store_of_another_model_is_a_problem(here, capsys):
    make_store(here)
    first, second = about(findings(capsys), "store")
    assert first[0] == "ok" and "1 photos, 4 segments, preset mini" in first[1]
    assert second[0] == "problem" and "another version of the model mini" in second[1]


def test_a_damaged_store_is_a_problem_with_the_way_out(here, capsys):
    store = make_store(here)
    [vectors] = store.glob("parts/*/vectors.f16")
    vectors.unlink()
    [(state, said, advice)] = about(findings(capsys), "store")
    assert state == "problem" and "vectors.f16" in said
    assert "usearch rebuild" in advice


def test_a_healthy_store_is_followed_by_a_question(here, monkeypatch, capsys):
    make_store(here)
    monkeypatch.setattr("usearch.health.places._check_space", lambda *_: iter(()))
    assert main(["doctor"]) == 0
    assert "next: usearch query" in capsys.readouterr().err


def test_deep_runs_the_bundled_model(monkeypatch, capsys):
    monkeypatch.setattr(accelerator, "version_of", lambda _: None)
    said = [said for _, said, _ in about(findings(capsys, "--deep"), "preset mini")]
    assert any(line.startswith("it runs:") for line in said)


def test_it_imports_neither_torch_nor_faiss():
    code = (
        "import sys; from usearch.cli import main; main(['doctor']);"
        "print({'torch', 'faiss', 'duckdb', 'onnxruntime', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
