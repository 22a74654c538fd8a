"""Training in processes of its own: two give one's gradients, and SIGKILL costs nothing."""

import json
import math
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch
from use_samples import pairs_file

from trainer.use.loop import Schedule
from trainer.use.random_towers import random_backbones
from trainer.use.recipe import Recipe
from trainer.use.run import Request, train_run
from trainer.use.run_state import read_metrics

HERE = Path(__file__).parent

ONE_STEP = """
import math, sys
from pathlib import Path
import torch
from use_samples import SIDE, ToyText, towers
from indexer.embedders.head import USEHead
from indexer.embedders.use import shape_for
from trainer.use.batches import plan_of, steps_of
from trainer.use.direct import direct_features
from trainer.use.distributed import joined, sum_gradients
from trainer.use.loop import batch_loss
from trainer.use.photos import collect
from trainer.use.recipe import Recipe
from trainer.use.texts import text_bank

pairs, out = map(Path, sys.argv[1:])
recipe = Recipe(crop=SIDE, batch=5, min_pixels=8, mask_equal=True, hard_negatives=2)
collection = collect([pairs])
bank = text_bank(collection.texts, collection.held_texts, ToyText(), "use4", {})
backbones = towers()
torch.manual_seed(0)
head = USEHead(shape_for(backbones, 16))
scale = torch.nn.Parameter(torch.tensor(math.log(30.0)))
with joined("cpu") as processes:
    step = next(steps_of(collection.train, recipe, plan_of(10, recipe)))
    (features,) = direct_features(collection, backbones, recipe, [step], processes)
    loss, segments = batch_loss(head, scale, features, step, recipe, bank, processes)
    loss.backward()
    sum_gradients([*head.parameters(), scale], processes)
    found = {name: p.grad for name, p in head.named_parameters()}
    found |= {"scale": scale.grad, "loss": loss.detach(), "segments": torch.tensor(segments)}
    found["own"] = torch.tensor(len(features))
    torch.save(found, out / f"{processes.rank}-of-{processes.count}.pt")
"""


def environment():
    paths = [str(HERE), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def test_two_processes_have_the_gradients_of_one(tmp_path, loopback, monkeypatch):
    pairs = pairs_file(tmp_path / "pairs.parquet")
    script = tmp_path / "one_step.py"
    script.write_text(ONE_STEP)
    monkeypatch.setattr(sys, "argv", [str(script), str(pairs), str(tmp_path)])
    runpy.run_path(str(script))
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, "-m", *torchrun, script, pairs, tmp_path],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    one = torch.load(tmp_path / "0-of-1.pt")
    two = [torch.load(tmp_path / f"{rank}-of-2.pt") for rank in (0, 1)]
    assert two[0]["own"] + two[1]["own"] == one["own"] == one["segments"]
    assert two[0]["own"] != two[1]["own"]  # shares of 2 and 3 photos: the uneven case
    for name, expected in one.items():
        if name != "own":
            for found in two:
                torch.testing.assert_close(found[name], expected, rtol=1e-4, atol=1e-6)


def test_killed_with_no_warning_the_same_command_goes_on(tmp_path):
    pairs = pairs_file(tmp_path / "pairs.parquet")
    command = [
        *(sys.executable, "-m", "usearch", "train", pairs, "--random-towers", "tiny"),
        *("--crop", "64", "--batch", "5", "--steps", "12", "--look-every", "6"),
        *("--save-minutes", "0", "--json", "-o", tmp_path / "killed"),
    ]
    recipe = Recipe(crop=64, batch=5, steps=12)
    whole = Request((pairs,), tmp_path / "whole", recipe, schedule=Schedule(look_every=6))
    train_run(whole, random_backbones("tiny"))
    metrics = tmp_path / "killed" / "metrics.jsonl"
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (metrics.exists() and len(read_lines(metrics)) >= 3):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    again = subprocess.run(command, capture_output=True, check=False)
    assert again.returncode == 0, again.stderr.decode()
    curves = [
        [(line["step"], line["loss"], line.get("held")) for line in read_metrics(tmp_path / run)]
        for run in ("whole", "killed")
    ]
    assert len(curves[0]) == 12 and math.isfinite(curves[0][-1][1])
    assert curves[0] == curves[1]
    told = json.loads(again.stdout)
    assert told["finished"] and told["held_out"] == curves[0][-1][2]


def read_lines(path):
    return path.read_bytes().splitlines()
