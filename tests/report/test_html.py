# SPDX-License-Identifier: Apache-2.0
"""The page's structure, as a parser sees it; what it does is tested in test_browser.py."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from fvhydra.core.files import write_json
from fvhydra.core.result import CaseResult, ChangeStatus, Criterion, Difference, NextCommand, RunResult, SweepJob
from fvhydra.core.verdict import Verdict
from fvhydra.report.html import render_html, render_sweep_html
from tests.report.run_folders import HOSTILE, Run, latent_case, latent_run, pixel_case, pixel_run, seed_run

_VOID = {"meta", "link", "img", "input", "br", "line", "polyline"}


class Page(HTMLParser):
    """Elements in document order, with the text in and below each."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[list[str]] = []
        self.feed(html)
        assert not self._open, "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        text: list[str] = []
        self.elements.append((tag, dict(attrs), text))
        if tag not in _VOID:
            self._open.append(text)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            self._open.pop()
        if tag in ("td", "th"):
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        for text in self._open:
            text.append(data)

    def all(self, tag: str, **wanted: str) -> list[str]:
        """Text of the elements with this tag whose attributes contain what is wanted."""
        return [
            " ".join("".join(text).split())
            for name, attributes, text in self.elements
            if name == tag and all(value in (attributes.get(key.strip("_")) or "") for key, value in wanted.items())
        ]

    def attributes(self, tag: str, name: str) -> list[str]:
        return [value for found, attrs, _ in self.elements if found == tag and (value := attrs.get(name))]


def page(run: Run) -> Page:
    return Page(render_html(run.folder, run.result, run.manifest))


def test_the_environment_comes_before_the_recipe_and_both_before_the_cases_worst_first(tmp_path: Path) -> None:
    run = pixel_run(tmp_path)
    run.result.cases[0].recipe_difference = [Difference("seed", 10, 11)]
    html = page(run)
    headings = html.all("h2")
    assert headings[:2] == ["The environment differs from the reference's", "The recipe differs from the reference's"]
    names = [heading.split()[1] for heading in headings if heading.startswith("case")]
    assert names == ["#2", "#3", "#1", "#0"]  # no reference; cannot be compared; far; identical
    assert "torch 2.12.1 2.13.0 #1" in html.all("tr")


def test_a_hostile_prompt_is_text(tmp_path: Path) -> None:
    html = page(pixel_run(tmp_path))
    assert any('"quoted" <script>alert(1)</script> [x](http://evil.test)' in text for text in html.all("p"))
    assert len(html.all("script")) == 1
    assert "alert(1)" not in html.all("script")[0]
    assert not {"\x00", "\x1b", "\ud800"} & set("".join(html.all("html")))


@pytest.mark.parametrize("place", ["message", "notes", "title", "command", "config", "environment", "store_path"])
def test_markup_is_text_wherever_it_comes_in(place: str, tmp_path: Path) -> None:
    case = pixel_case(0, Verdict.PASS, "x", None, store_path=HOSTILE if place == "store_path" else "a")
    result = RunResult("check_ssim", Verdict.PASS, cases=[case])
    manifest: dict[str, object] = {}
    if place == "notes":
        result.notes = [HOSTILE]
    elif place in ("message", "title"):
        setattr(result, place, HOSTILE)
    elif place != "store_path":
        manifest[place] = {HOSTILE: HOSTILE} if place in ("config", "environment") else [HOSTILE]
    html = Page(render_html(tmp_path, result, manifest))
    assert len(html.all("script")) == 1
    assert any("<script>alert(1)</script>" in text for text in html.all("body"))


def test_media_are_relative_and_survive_odd_file_names(tmp_path: Path) -> None:
    run = pixel_run(tmp_path)
    sources = page(run).attributes("video", "src")
    assert len(sources) == 7
    for source in sources:
        assert source.startswith("../")
        assert "#" not in source and "?" not in source
        assert (run.folder / "report" / unquote(source)).resolve().is_file()


def test_nothing_is_taken_from_elsewhere(tmp_path: Path) -> None:
    for run in (pixel_run(tmp_path / "a"), latent_run(tmp_path / "b")):
        html = page(run)
        addresses = [url for tag in ("img", "video", "link", "script", "a") for url in html.attributes(tag, "src")]
        addresses += [url for tag in ("link", "a") for url in html.attributes(tag, "href")]
        assert all(url.startswith(("../", "#", "data:")) for url in addresses)


def test_a_path_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "secret.mp4").touch()
    case = pixel_case(0, Verdict.DONE, "x", None, artifact="../secret.mp4")
    html = Page(render_html(tmp_path / "run", RunResult("generate", Verdict.DONE, cases=[case]), {}))
    assert not html.attributes("video", "src")
    assert "../../secret.mp4" not in html.attributes("a", "href")


def test_clips_that_cannot_be_compared_say_so_and_show_no_numbers(tmp_path: Path) -> None:
    run = pixel_run(tmp_path)
    run.result.cases = run.result.cases[3:]
    html = page(run)
    assert html.all("p", class_="shout") == ["Different clips. The reference has 18 frames, the generated clip 17."]
    assert "".join(html.all("body")).count("The reference has 18 frames") == 1
    assert not html.all("dl", class_="measures")
    assert not html.all("div", class_="player")


def test_a_case_without_a_reference_shows_what_was_generated_and_the_command(tmp_path: Path) -> None:
    run = pixel_run(tmp_path)
    run.result.cases = [run.result.cases[2]]
    html = page(run)
    assert html.all("figcaption") == ["generated"]
    assert "Seed it with: fvhydra op=seed_ssim model=wan21_t2v_1_3b" in html.all("p", class_="message")[0]


def test_the_player_starts_at_the_worst_frame(tmp_path: Path) -> None:
    run = pixel_run(tmp_path)
    run.result.cases = [run.result.cases[1]]
    html = page(run)
    assert html.attributes("div", "data-start") == ["11"]
    assert html.all("figcaption") == ["reference", "generated", "difference × 8"]
    assert html.all("span", class_="gate-label") == ["mean ≥ 0.93", "frame ≥ 0.8"]


def test_a_gate_is_shown_once_as_a_number_and_not_again_as_a_criterion(tmp_path: Path) -> None:
    run = pixel_run(tmp_path)
    run.result.cases = [run.result.cases[1]]
    run.result.cases[0].criteria.append(Criterion("prompt", True, "a", "a"))
    html = page(run)
    assert "mean MS-SSIM 0.9142 ≥ 0.93 ✕ fail" in html.all("dl", class_="measures")[0]
    assert [row.split()[0] for row in html.all("tr") if "pass" in row or "fail" in row] == ["prompt"]
    assert "MS-SSIM over 4 scales, 18 frames of 144 × 256 at 12 fps, decoded by pyav" in html.all("dd")


def test_latents_show_distances_numerics_and_a_picture_of_every_frame(tmp_path: Path) -> None:
    run = latent_run(tmp_path)
    run.result.cases = [run.result.cases[1]]
    html = page(run)
    assert html.all("dl", class_="measures") == [
        "slice cosine distance 0.0213 ≤ 0.005 ✕ fail full cosine distance 4.00e-04 ≤ 0.01 ✓ pass "
        "largest absolute difference 0.7500"
    ]
    rows = html.all("tr")
    assert "shape 1 × 128 × 6 × 16 × 24 1 × 128 × 6 × 16 × 24" in rows
    assert "dtype original torch.float32 torch.bfloat16 differs" in rows
    assert "mean 0.0102 0.0309" in rows  # a statistic may drift; only what describes the format is marked
    pictures = [alt for alt in html.attributes("img", "alt") if alt.startswith("latent frame")]
    assert len(pictures) == 6


def test_a_damaged_difference_map_is_a_sentence(tmp_path: Path) -> None:
    case = latent_case(0, Verdict.PASS, 0.0, 0.0)
    case.difference_map = "map.npy"
    (tmp_path / "map.npy").write_bytes(b"not numpy")
    html = Page(render_html(tmp_path, RunResult("check_ssim", Verdict.PASS, cases=[case]), {}))
    assert any("map.npy is not a difference map" in text for text in html.all("p", class_="missing"))


def test_a_review_shows_the_new_artifact_alone_with_every_criterion(tmp_path: Path) -> None:
    html = page(seed_run(tmp_path))
    assert html.all("figcaption") == ["new"]
    rows = html.all("tr")
    assert "format_version ✓ pass 1 1" in rows
    assert "std ✕ fail 7.5 0.3 to 3" in rows


def test_a_reseed_calls_its_sides_before_and_after(tmp_path: Path) -> None:
    run = pixel_run(tmp_path)
    run.result.sides, run.result.cases = ("before", "after"), [run.result.cases[1]]
    assert page(run).all("figcaption") == ["before", "after", "difference × 8"]


@pytest.mark.parametrize("gone", ["reference", "artifact"])
def test_a_missing_file_is_named(gone: str, tmp_path: Path) -> None:
    run = pixel_run(tmp_path)
    case: CaseResult = run.result.cases[1]
    path = tmp_path / str(getattr(case, gone))
    path.unlink()
    run.result.cases = [case]
    html = page(run)
    assert any(path.name in text and "missing" in text for text in html.all("p", class_="missing"))
    assert len(html.attributes("video", "src")) == 1


def test_an_unmeasured_number_is_said_to_be_so(tmp_path: Path) -> None:
    case = latent_case(0, Verdict.REGRESSION, None, None)
    html = Page(render_html(tmp_path, RunResult("check_ssim", Verdict.REGRESSION, cases=[case]), {}))
    assert "slice cosine distance not measured ≤ 0.005 ✕ fail" in html.all("dl", class_="measures")[0]


def test_a_run_without_cases_or_manifest_is_a_page(tmp_path: Path) -> None:
    html = Page(render_html(tmp_path, RunResult("doctor", Verdict.DONE, "All well."), {}))
    assert html.all("h1") == ["doctor • done"]


def test_the_sweep_lists_every_job_and_links_the_reports_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "0 a#b" / "report").mkdir(parents=True)
    (tmp_path / "0 a#b" / "report" / "index.html").touch()
    jobs = [
        SweepJob(0, "seed=0", RunResult("check_ssim", Verdict.REGRESSION, "Far.\nlog", "ltx2"), "0 a#b"),
        SweepJob(1, HOSTILE, RunResult("check_ssim", Verdict.PASS, "", "ltx2"), "1"),
    ]
    html = Page(render_sweep_html(tmp_path, jobs))
    assert html.all("h1") == ["check_ssim · ltx2 · 2 jobs ✕ regression"]
    assert html.attributes("a", "href") == ["../0%20a%23b/report/index.html"]
    rows = html.all("tr")
    assert rows[1] == "0 ✕ regression check_ssim ltx2 seed=0 Far. open"
    assert "<script>alert(1)</script>" in rows[2]
    assert rows[2].endswith("none")
    assert html.all("button") == ["all 2", "✕ regression 1", "✓ pass 1"]


def test_the_sweep_says_what_ran_when_and_why_a_job_has_no_report(tmp_path: Path) -> None:
    for number, created in (("0", "2026-11-21T03:20:00Z"), ("1", "2026-11-21T03:15:00Z")):
        write_json(tmp_path / number / "manifest.json", {"command": ["fvhydra", "-m", "seed=0,1"], "created": created})
    (tmp_path / "0" / "report").mkdir()
    (tmp_path / "0" / "report" / "index.html").touch()
    refused = RunResult("generate", Verdict.USAGE_ERROR, "Refused.\nAll of it.", "wan", notes=["  ls outputs"])
    jobs = [SweepJob(0, "", RunResult("generate", Verdict.DONE, "1 clip.", "ltx2"), "0"), SweepJob(1, "", refused, "1")]
    jobs.append(SweepJob(2, "", refused, "../elsewhere"))
    html = Page(render_sweep_html(tmp_path, jobs))
    assert html.all("h1") == ["generate · 3 jobs ! usage error"]
    assert html.all("p", class_="eyebrow") == ["fvhydra sweep · 2026-11-21T03:15:00Z"]
    assert html.all("p", class_="command") == ["command fvhydra -m seed=0,1"]
    assert html.all("tr")[2] == "1 ! usage error generate wan Refused. All of it. ls outputs none"


def test_a_single_case_offers_no_way_to_the_next(tmp_path: Path) -> None:
    run = latent_run(tmp_path)
    assert html_keys(run) == ["j", "k"]
    run.result.cases = run.result.cases[:1]
    assert html_keys(run) == []
    pixels = pixel_run(tmp_path / "pixels")
    pixels.result.cases = pixels.result.cases[:1]
    assert html_keys(pixels) == ["space", "←", "→", "Home", "End", "w"]


def html_keys(run: Run) -> list[str]:
    return page(run).all("kbd")


def test_a_long_criterion_can_be_read_in_full(tmp_path: Path) -> None:
    run = seed_run(tmp_path)
    prompt = "A lone hiker. " * 40 + HOSTILE[:20]
    run.result.cases[0].criteria = [Criterion("prompt", False, prompt, "the case's prompt")]
    assert prompt in page(run).attributes("span", "title")


def test_commands_are_code_and_sentences_are_not(tmp_path: Path) -> None:
    publish = "python -m fvhydra op=publish 'run=a b'"
    result = RunResult("generate", Verdict.DONE, notes=["Look again: python -m fvhydra op=log"])
    result.next_commands = [NextCommand("To go on", "python -m fvhydra op=generate")]
    result.change = ChangeStatus(
        "a store", 2, said=["Nothing was written."], publish=NextCommand("To publish", publish)
    )
    html = Page(render_html(tmp_path, result, {}))
    assert html.all("code") == ["python -m fvhydra op=generate", publish]
    assert html.all("li") == [
        "Look again: python -m fvhydra op=log",
        "Nothing was written.",
        "To go on: python -m fvhydra op=generate",
        f"To publish: {publish}",
    ]


def test_a_change_says_whether_it_was_published(tmp_path: Path) -> None:
    run = seed_run(tmp_path)
    for case in run.result.cases:
        case.planned = "to be added"
    run.result.change = ChangeStatus("a store", 2)
    html = page(run)
    assert html.all("h1") == ["seed_ssim · ltx2 • done … prepared, not published"]
    assert "to be added" in html.all("p", class_="message")
    run.result.change.published = "r7"
    html = page(run)
    assert html.all("h1") == ["seed_ssim · ltx2 • done ✓ published r7"]
    assert html.all("p", class_="message") == ["✓ published r7"] * 2
