# SPDX-License-Identifier: Apache-2.0
"""Files that a person is given and names in a command: prompts, manifests, tables, media, latent bundles."""

from __future__ import annotations

import io
import json
import pickle
import random
import wave
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fvhydra.config.store import LocalStoreConfig
from fvhydra.media import latent as bundles
from fvhydra.stores.local import LocalStore
from tests.fuzz.mutations import HOSTILE, become_no_file, bytes_mutated, json_mutated, lines_mutated
from tests.fuzz.place import Place
from tests.fuzz.template import MODEL

_PLAN = ("op=generate", "engine=mock", "model=wan22_ti2v_5b", "dry_run=true")
_PROMPTS: list[Any] = [
    "a cat",
    {"text": "a dog", "samples": 2, "negative_prompt": "blur", "tags": ["x"], "dimension": ["color"]},
    {"text": "a cow", "image": None, "auxiliary_info": {"color": "red"}, "language": "en"},
]
_BOMBS = [
    "- &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"- &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)),
    "&a [*a]",
    "[" * 100_000,
    "- !!python/object/apply:os.system ['touch ran']",
    "- {text: a, samples: 100000000}",
    "- text: a\n  text: b\n",
    "{? [a] : b}",
    "- a\n" * 300_000,
]


def prompts(dice: random.Random, place: Place, template: Path) -> Counter[str]:
    """A prompt file of any kind."""
    place.make()
    kind = dice.choice((".txt", ".json", ".jsonl", ".yaml"))
    text = {
        ".txt": "a cat\na dog\n",
        ".json": json.dumps(_PROMPTS),
        ".jsonl": "\n".join(map(json.dumps, _PROMPTS)),
        ".yaml": json.dumps(_PROMPTS),  # which is YAML
    }[kind].encode()
    mutate = {".txt": bytes_mutated, ".jsonl": lines_mutated}.get(kind, json_mutated)
    changed = dice.choice(_BOMBS).encode() if kind == ".yaml" and dice.random() < 0.4 else mutate(text, dice)
    (place.work / f"prompts{kind}").write_bytes(changed)
    return Counter([place.tried((*_PLAN, f"prompt_file=prompts{kind}"))])


def suite(dice: random.Random, place: Place, template: Path) -> Counter[str]:
    """The table of a benchmark."""
    place.make()
    if dice.random() < 0.5:
        entries = [
            {"prompt_en": "a cat", "dimension": ["color"], "auxiliary_info": {"color": {"color": "red"}}},
            {"prompt_en": "a dog", "dimension": ["scene", "color"], "auxiliary_info": {}},
        ]
        (place.work / "VBench_full_info.json").write_bytes(json_mutated(json.dumps(entries).encode(), dice))
        words = ("prompts=vbench", "prompts.path=VBench_full_info.json")
    else:
        name = "0001_perspective-left_take-1_trimmed-ball-falls.mp4"
        text = f"scenario,description,category\n{name},A ball falls.,Solid\n{name.replace('left', 'right')},It,Solid\n"
        (place.work / "descriptions.csv").write_bytes(bytes_mutated(text.encode(), dice))
        words = ("prompts=physics_iq", "prompts.path=descriptions.csv")
    return Counter([place.tried((*_PLAN, *words))])


def manifest(dice: random.Random, place: Place, template: Path) -> Counter[str]:
    """A manifest whose rows are odd."""
    place.make(template)
    [clip] = (place.work / "made" / "artifacts").rglob("*.mp4")
    rows = [
        {"id": "a", "video": str(clip), "prompt": "a cat", "tags": ["x"], "role": "generated", "fps": 8},
        {"id": "b", "video": str(clip), "reference": str(clip), "dimension": ["color"], "mouse_pitch_sign": 1},
        {"video": "made", "audio": "none.wav", "calibration": {"focal_length": 1}, "actions": {"keyboard": [[1]]}},
        {"id": 3, "video": str(clip), "scenario": "s", "view": "left", "reference_text": "hello", "seed": 1},
    ]
    data = "\n".join(map(json.dumps, rows)).encode()
    for _ in range(dice.randint(1, 3)):
        data = _again(lines_mutated, data, dice)
    (place.work / "samples.jsonl").write_bytes(data)
    return Counter([place.tried(("op=eval", "manifest=samples.jsonl", "metrics=[pixel,temporal]"))])


def _again(mutate: Any, data: bytes, dice: random.Random) -> bytes:
    try:
        changed: bytes = mutate(data, dice)
    except ValueError:  # an earlier change made it something else than JSON
        return data
    return changed


def media(dice: random.Random, place: Place, template: Path) -> Counter[str]:
    """Clips, sounds and frames; each file is an input."""
    place.make()
    folder = place.work / "clips"
    (folder / "frames").mkdir(parents=True)
    good = _good_media(template)
    for index in range(4):
        name, data = dice.choice(good)
        (folder / f"{index}-{name}").write_bytes(bytes_mutated(data, dice))
    for index in range(3):
        data = _picture("PNG")
        (folder / "frames" / f"{index:03}.png").write_bytes(bytes_mutated(data, dice) if index == 1 else data)
    outcome = place.tried(("op=eval", "videos=clips", "references=clips", "metrics=[pixel,temporal]", "op.fps=8"))
    return Counter({outcome: 5})


@cache
def _good_media(template: Path) -> list[tuple[str, bytes]]:
    [clip] = (template / "made" / "artifacts").rglob("*.mp4")
    sound = io.BytesIO()
    with wave.open(sound, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16000)
        out.writeframes(bytes(3200))
    data = clip.read_bytes()
    named = [("a.mp4", data), ("a.mkv", data), ("a.avi", data), ("a.gif", _picture("GIF")), ("a.wav", sound.getvalue())]
    playlists = [
        ("list.mp4", b"ffconcat version 1.0\nfile '../../outside/canary'\n"),
        ("list.mkv", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
        ("list.webm", b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 9 RTP/AVP 96\n"),
    ]
    return named * 2 + playlists


def picture(dice: random.Random, place: Place, template: Path) -> Counter[str]:
    """A first frame."""
    place.make()
    kind = dice.choice(("PNG", "JPEG", "GIF", "BMP", "TIFF"))
    name = f"first.{dice.choice((kind.lower(), 'png', 'svg'))}"
    (place.work / name).write_bytes(bytes_mutated(_picture(kind), dice))
    return Counter([place.tried(("op=generate", *MODEL, "prompt=a cat", f"image={name}"))])


@cache
def _picture(kind: str) -> bytes:
    out = io.BytesIO()
    values = np.random.default_rng(0).integers(0, 255, (192, 192, 3), np.uint8)
    Image.fromarray(values).save(out, kind)
    return out.getvalue()


def no_file(dice: random.Random, place: Place, template: Path) -> Counter[str]:
    """Something that is no regular file where a command names one."""
    place.make()
    name, words = dice.choice(
        (
            *((f"p{kind}", (*_PLAN, f"prompt_file=p{kind}")) for kind in (".txt", ".json", ".jsonl", ".yaml")),
            ("s.jsonl", ("op=eval", "manifest=s.jsonl", "metrics=temporal")),
            ("c.mp4", ("op=eval", "videos=c.mp4", "metrics=temporal")),
            ("clips/c.mp4", ("op=eval", "videos=clips", "metrics=temporal")),
            ("f.png", ("op=generate", *MODEL, "prompt=a cat", "image=f.png")),
            ("VBench_full_info.json", (*_PLAN, "prompts=vbench", "prompts.path=VBench_full_info.json")),
            ("d.csv", (*_PLAN, "prompts=physics_iq", "prompts.path=d.csv")),
            ("fvhydra.yaml", _PLAN),
            ("pyproject.toml", _PLAN),
            ("mine/prompts/x.yaml", ("--config-dir", "mine", *_PLAN, "prompts=x")),
            ("run", ("op=eval", "run=run", "metrics=temporal")),
        )
    )
    path = place.work / name
    path.parent.mkdir(parents=True, exist_ok=True)
    become_no_file(path, dice, place.outside)
    return Counter([place.tried(words)])


def latent(dice: random.Random, place: Place, template: Path) -> Counter[str]:
    """A latent bundle that a store has under a right hash."""
    place.make()
    words = ("engine=mock", "model=ltx2", "prompt=a cat", "seed=1")
    local = LocalStore(LocalStoreConfig(_target_="", name="local", path=str(place.work / "store")))
    path = "reference_videos/smoke/CPU_reference_videos/LTX2-Distilled-Diffusers/TORCH_SDPA/a cat__{}.pt"
    good = _bundle()
    data = dice.choice((good, _code(), _lying())) if dice.random() < 0.4 else good
    name = path.format("00000000") if dice.random() < 0 else path.replace("__{}", "")
    local.commit({name: data if data is not good else bytes_mutated(good, dice)}, message="by hand")
    return Counter([place.tried(("op=check_ssim", *words))])


@cache
def _bundle(**changes: Any) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.pt"
        values = np.random.default_rng(0).standard_normal((1, 128, 2, 3, 3)).astype(np.float32)
        bundles.save_bundle(path, values, "torch.float32", "corner_3x3_first_frame", {"prompt": "a cat"})
        return path.read_bytes()


class _Runs:
    def __reduce__(self) -> Any:
        import os

        return os.mkdir, ("ran",)


@cache
def _code() -> bytes:
    import torch

    out = io.BytesIO()
    torch.save({"latent": _Runs(), "format_version": 1}, out)
    return out.getvalue()


@cache
def _lying() -> bytes:
    import torch

    content = torch.load(io.BytesIO(_bundle()), weights_only=True)
    out = io.BytesIO()
    torch.save(content | {"latent": torch.zeros(1).half().expand(1, 128, 2, 3, 10**12)}, out)
    return out.getvalue()


_ = (HOSTILE, pickle)
