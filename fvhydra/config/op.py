# SPDX-License-Identifier: Apache-2.0
"""``op=``: the operation, and its own options."""

from __future__ import annotations

from typing import Annotated, Any

from omegaconf import MISSING
from pydantic import BeforeValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from fvhydra.config.fields import (
    Name,
    NonNegative,
    NonNegativeFloat,
    Positive,
    PositiveFloat,
    Reason,
    Words,
    doc,
    one_of,
)
from fvhydra.config.gates import Gate


def _as_options(given: Any) -> Any:
    if not isinstance(given or {}, dict):
        raise ValueError("must be options with their values, such as {runs: 5}")
    return given or {}


Options = Annotated[Any, BeforeValidator(_as_options)]
"""Options of another op by their names, as a mapping; not typed as one, whose keys Hydra would want to know."""


@dataclass
class OpConfig:
    """An operation. ``_target_`` is a class with the contract of ``fvhydra.ops.base.Op``."""

    _target_: str = doc("Dotted path of the op's class", MISSING)
    name: Name = doc("The word after op=", MISSING)
    options: dict[str, Any] = doc("Settings of an op from outside this package", factory=dict)


@dataclass
class SeedSsimConfig(OpConfig):
    """Make references that do not exist yet."""

    confirm: Words = doc("The word upload applies the change at once; any other is an error", None, typed=True)
    accept: Words = doc("Failed review criteria to publish all the same, by name", None, typed=True)
    reason: Reason = doc("Why, for the store's history", "first references")
    draft: bool = doc("Write below drafts/ instead, for op=promote to move into place", False)


@dataclass
class CheckSsimConfig(OpConfig):
    """Regenerate and compare with the references."""

    fail_fast: bool = doc("Stop at the first case that is not a pass", False)
    bootstrap: bool = doc("Upload a draft for every case without a reference (CI); still exit 3", False, typed=True)


@dataclass
class GenerateConfig(OpConfig):
    """Only generate, into a run folder."""


@dataclass
class SmokeConfig(OpConfig):
    """Load and generate once, and hold both to what is declared."""


@dataclass
class RunJobConfig(OpConfig):
    """Generate the clips of a job one after the other, each from the last frame of the one before; join them."""


@dataclass
class ReseedSsimConfig(OpConfig):
    """Replace references on purpose."""

    reason: Reason = doc("Why the references move, in one line; required", "", example="measured anew")
    confirm: Words = doc("[confirm reseed, upload] applies the change at once", None, typed=True)
    accept: Words = doc("Failed review criteria to publish all the same, by name", None, typed=True)


@dataclass
class RestoreConfig(OpConfig):
    """Put earlier references or performance records back, as a new commit."""

    revision: str | None = doc("Instead of run=: make the model's references as they were in this revision", None)
    model_id: str = doc("With op.revision: the performance records of this benchmark, not references", "")
    reason: Reason = doc("Why, for the store's history", "restore")
    confirm: Words = doc(
        "upload applies the change; [confirm delete, upload] where it takes files away", None, typed=True
    )


@dataclass
class MovePerfConfig(OpConfig):
    """Add reviewed measurements to a performance history."""

    model_id: str = doc("Benchmark whose baseline moves, exactly as records have it", "")
    gpu_type: str = doc("Device, exactly as records have it (NVIDIA L40S)", "")
    source_results: Words = doc("Normalised records (normalized_perf_*.json), paths or addresses", None, typed=True)
    source_result: str | None = doc("The same for one", None, typed=True)
    max_intra_batch_regression: PositiveFloat = doc(
        "Share by which a source may be worse than the median of all", 0.05, variable="PERF_MAX_REGRESSION"
    )
    benchmark_file: str | None = doc("Benchmark whose fixed limits the new medians are held to (JSON)", None)
    reason: Reason = doc("Why the baseline moves, in one line; required", "", example="measured anew")


@dataclass
class SeedPerfConfig(MovePerfConfig):
    """Make the first performance baseline of a new identity."""

    confirm: Words = doc("The word upload applies the change; cleanup reseed temp may follow", None, typed=True)


@dataclass
class ReseedPerfConfig(MovePerfConfig):
    """Move a performance baseline on purpose."""

    confirm: Words = doc(
        "[confirm performance reseed, upload] applies the change; cleanup reseed temp may follow", None, typed=True
    )


@dataclass
class SupersedePerfConfig(OpConfig):
    """Take bad records out of a performance history."""

    reason: Reason = doc("Why the records were wrong, in one line; required", "", example="measured anew")
    confirm: Words = doc("[confirm delete, upload] applies the change", None, typed=True)


@dataclass
class PromoteConfig(OpConfig):
    """Move reviewed drafts into place."""

    reason: Reason = doc("Why, for the store's history", "promote drafts")
    confirm: Words = doc("The word upload applies the change", None, typed=True)
    accept: Words = doc("Failed review criteria to publish all the same, by name", None, typed=True)


@dataclass
class LogConfig(OpConfig):
    """The history of a store."""

    every_model: bool = doc("Not only the commits that touched the chosen model", False)
    limit: Positive = doc("Newest commits to show", 20)


@dataclass
class PublishConfig(OpConfig):
    """Apply the change that an earlier run prepared."""

    confirm: Words = doc("What the change asks for, as the command that prepared it printed", None, typed=True)
    accept: Words = doc("Failed review criteria to publish all the same, by name", None, typed=True)


@dataclass
class EvalConfig(OpConfig):
    """Score clips with any set of metrics."""

    gate: Gate = doc('Limits, as {common.ssim: ">=0.93"}; pass or regression', None)
    strict: bool = doc("A skipped or failed sample makes the verdict inconclusive", False)
    fps: PositiveFloat | None = doc("Frames a second of clips that are folders of numbered frames", None)
    workers: NonNegative = doc("Clips at a time; 0: one for each CPU that the job has", 0)
    memory_mb: Positive = doc("Memory for the decoded frames of one clip and what it is compared with, MB", 64)
    shard: NonNegative | None = doc("Only this part of the clips, from 0; sweep it: op.shard=range(0,8)", None)
    shards: NonNegative = doc("Number of parts; 0: as many as op.shard is swept over", 0, counts="op.shard")
    resume_from: str | None = doc("Folder of an earlier evaluation, whose scores of the same content are kept", None)

    @model_validator(mode="after")
    def _knows_of_how_many(self) -> EvalConfig:
        if self.shard is not None and not self.shards:
            raise ValueError(
                f"shard={self.shard} does not say of how many; add op.shards=8, or sweep all: -m op.shard='range(0,8)'"
            )
        if self.shard is not None and self.shard >= self.shards:
            raise ValueError(f"shard={self.shard} must be less than op.shards={self.shards}; the first is 0")
        return self


@dataclass
class EvalCompareConfig(OpConfig):
    """Compare two evaluations sample by sample."""

    gate: Gate = doc('Limits on the differences, as {common.ssim: ">=-0.01"}; pass or regression', None)


@dataclass
class MetricsOpConfig(OpConfig):
    """List the metrics, or explain one."""


Said = Annotated[str | None, BeforeValidator(lambda value: None if value in ("", "false") else value)]
"""A variable of a CI system, which says ``false`` or nothing where there is no such thing."""


def _is_mapping(value: Any) -> Any:
    if value is not None and not isinstance(value, dict):
        raise ValueError("must say what is other, such as {backend: flash_attn} or {ref: main}")
    return value


Against = Annotated[Any, BeforeValidator(_is_mapping)]
"""Keys with their values. Not typed as a dict, whose keys Hydra would want to know beforehand."""


@dataclass
class CiConfig:
    """Where a measurement comes from, as its CI says."""

    run_source: Annotated[Said, one_of(None, "pr", "local", "scheduled_main", "unknown")] = doc(
        "null: derived from the others", None, variable="PERF_RUN_SOURCE"
    )
    commit: Said = doc("Commit that is measured; null: that of the checkout", None, variable="BUILDKITE_COMMIT")
    branch: Said = doc("Its branch", None, variable="BUILDKITE_BRANCH")
    pr_number: Said = doc("Its pull request", None, variable="BUILDKITE_PULL_REQUEST")
    test_scope: Said = doc("full for the whole suite", None, variable="TEST_SCOPE")
    build_url: Said = doc("Address of the build", None, variable="BUILDKITE_BUILD_URL")
    build_id: Said = doc("Id of the build", None, variable="BUILDKITE_BUILD_ID")
    job_id: Said = doc("Id of the job", None, variable="BUILDKITE_JOB_ID")


@dataclass
class BenchConfig(OpConfig):
    """Measure speed and memory."""

    warmup: Positive | None = doc(
        "Runs before those that count, the first among them; null: the benchmark's, or 2", None
    )
    runs: Positive | None = doc("Runs that count; null: the benchmark's, or 5; of each side with op.against 10", None)
    benchmark_file: str | None = doc("A benchmark of the ecosystem, JSON, instead of benchmark=", None)
    against: Against = doc(
        "Another side to take turns with: {backend: flash_attn}, {engine.path: ...}, {ref: main}; {} is the same again",
        None,
        typed=True,
    )
    ci: CiConfig = doc("Where it comes from", factory=CiConfig)


@dataclass
class ParityConfig(OpConfig):
    """Compare what an engine computes with what another does, and name where they first differ."""

    official: Against = doc(
        "The side that is right, by what is other there: {engine.python: ...}, {backend: ...}; {} is the same again",
        None,
        typed=True,
    )
    scope: Annotated[str, one_of("pipeline", "components", "all")] = doc(
        "What is compared: the pipeline, each component alone, or all: the pipeline once every component passes",
        "pipeline",
    )
    components: str | None = doc(
        "Run folder of an op=parity op.scope=components that must have passed for the pipeline to be compared", None
    )
    tolerance: NonNegativeFloat | None = doc(
        "Most that a tensor may differ, as a share of its largest value; null: by dtype, op.tolerances", None
    )
    tolerances: dict[str, float] = doc("The same for each dtype of the weights", factory=dict)
    truth: Annotated[str, one_of("none", "float32", "float64")] = doc(
        "Also run the official side in this dtype, and let the candidate be as far from that as the official side is",
        "none",
    )
    factor: PositiveFloat = doc("How many times the official side's error that is", 2.0)
    modules: str | None = doc(
        "Regular expression on modules inside components that are traced; null: those of the first that differs", None
    )
    names: dict[str, str] = doc("Module of the candidate: what the official side calls it", factory=dict)


@dataclass
class PortStatusConfig(OpConfig):
    """Show how far the port of a model is, and hand it over."""

    require: Annotated[str | None, one_of(None, "handoff")] = doc(
        "handoff: fail unless components, smoke, parity and the example pass on the present commit", None
    )


@dataclass
class CheckPerfConfig(OpConfig):
    """Compare performance records with their rolling baselines."""

    results: Words = doc("Records to check (normalized_perf_*.json), where run= is not that of an op=bench", None)
    benchmark_file: str | None = doc("Benchmark whose fixed ceilings the records are held to (JSON)", None)
    any_weights: bool = doc("Compare also with records of other weights (synthetic with real)", False)
    record: Annotated[str, one_of("never", "pass", "always")] = doc(
        "Append the records to the store: never, pass (those that do) or always", "never", variable="PERF_UPLOAD_POLICY"
    )
    reason: Reason = doc("Why, for the store's history", "checked")
    mirror: str | None = doc(
        "Folder for copies of the store's records; null: perf-tracking in the system's temp folder",
        None,
        variable="PERFORMANCE_TRACKING_ROOT",
    )
    confirm: Words = doc("The word upload appends them at once", None, typed=True)


@dataclass
class PerfHistoryConfig(OpConfig):
    """Performance and similarity over time."""

    model_id: str = doc("Only this benchmark, exactly as records have it", "")
    gpu_type: str = doc("Only this device, exactly as records have it", "")
    last: Positive | None = doc("Only so many of the newest points of each series", None)
    runs: Words = doc("Folders with run folders of op=check_ssim; null: those of this project's runs", None)
    steps: bool = doc("Look for lasting changes (ruptures, of the extra history)", True)
    export: Words = doc(
        "png, svg or both: a picture of each series, in plots/ (matplotlib, of the extra history)", None
    )
    mirror: str | None = doc(
        "Folder for copies of the store's records; null: perf-tracking in the system's temp folder",
        None,
        variable="PERFORMANCE_TRACKING_ROOT",
    )

    @model_validator(mode="after")
    def _exports_pictures(self) -> PerfHistoryConfig:
        if wrong := [word for word in self.export if word not in ("png", "svg")]:
            raise ValueError(f"export={wrong[0]} is no kind of picture; there are png and svg")
        return self


@dataclass
class AttachConfig(OpConfig):
    """Come back to a sweep that goes on elsewhere."""

    confirm: Words = doc(
        "What the changes of its jobs ask for; what their folder says of it does not count", None, typed=True
    )
    bootstrap: bool = doc("Upload the drafts that its checks made (CI)", False, typed=True)


@dataclass
class WatchConfig(OpConfig):
    """Look at runs while they work, here or elsewhere."""

    tail: Words = doc("Logs whose ends are shown too, of: progress, stdout, error", None)
    tail_lines: Annotated[int, Field(ge=1, le=10_000)] = doc("Lines of each", 20)
    once: bool = doc("Look once, and do not wait for the end", False)
    interval_s: PositiveFloat = doc("Seconds between two looks", 1.0)
    stale_s: PositiveFloat = doc("After how many seconds without a heart-beat that is said", 10.0)
    patience_s: PositiveFloat = doc("How long a place that does not answer any more is tried again", 600.0)
    timeout_s: PositiveFloat = doc("Longest wait for one answer (sftp)", 15.0)
    port: Annotated[int, Field(ge=1, le=65_535)] | None = doc("Port of the SSH server", None)
    key_file: str | None = doc("Private key; null: those of the agent, ~/.ssh/config and ~/.ssh", None, typed=True)
    accept_new_host: bool = doc("Go on with a server whose key is not known yet (sftp)", False, typed=True)
    storage_options: dict[str, Any] = doc("What fsspec's file system of that URL takes", factory=dict, typed=True)

    @model_validator(mode="after")
    def _tails_are_known(self) -> WatchConfig:
        if unknown := [word for word in self.tail if word not in ("progress", "stdout", "error")]:
            raise ValueError(f"tail={unknown[0]} must be of: progress, stdout, error")
        return self


@dataclass
class PrefetchConfig(OpConfig):
    """Fetch weights before they are needed."""

    models: Words = doc("Typed as model=: names, beginnings of them or of families, or all", None, word="model")
    metrics: Words = doc("Typed as metrics=: choices, families or ids of metrics, or all", None, word="metrics")
    cache_dir: str | None = doc("The Hugging Face cache; null: as HF_HUB_CACHE and HF_HOME say", None, typed=True)
    smoke_seconds: PositiveFloat | None = doc("Stop after so long, and say how long all would take", None)
    whole: bool = doc("Every file of the repositories, also those that diffusers does not read (fastvideo)", False)
    patience_s: PositiveFloat = doc("How long a file is tried again that does not come on", 300.0)
    timeout_s: PositiveFloat = doc("Longest wait for the network to move", 30.0)


@dataclass
class BundleConfig(OpConfig):
    """Pack a run into one archive, verify or unpack one."""

    format: Annotated[str, one_of("zip", "tar.gz", "tar.zst")] = doc("zip, tar.gz or tar.zst", "zip")
    to: str | None = doc("The archive to write; of op.unpack= the folder to unpack into", None, typed=True)
    verify: str | None = doc("An archive to hold to its own list of hashes, instead of making one", None)
    unpack: str | None = doc("An archive to unpack, verified, instead of making one", None)
    most_gb: PositiveFloat = doc("The most that an archive may unpack to, GB", 100.0)


@dataclass
class BisectConfig(OpConfig):
    """Find the first commit of an engine with which a check fails."""

    good: str = doc("Commit, branch or tag of the checkout with which the check passes", MISSING, example="v1.0")
    bad: str = doc("One with which it fails", "HEAD")
    check: Annotated[Name, one_of("check_ssim", "check_perf", "parity")] = doc(
        "The op that tells good from bad: check_ssim, parity, check_perf (after op=bench)", "check_ssim"
    )
    check_with: Options = doc("Options of that op, as {fail_fast: true}", None)
    measure_with: Options = doc("Options of op=bench before check_perf, as {runs: 5}", None)
    baseline: NonNegative = doc(
        "For check_perf, how often the good end is measured as its baseline; 0: the history of store=", 3
    )
    build: str | None = doc(
        "Shell command in the checkout before each commit is checked; one that fails skips it", None, typed=True
    )
    repeats: NonNegative = doc("How often a commit is checked again when its check could not tell", 2)


@dataclass
class VerifyConfig(OpConfig):
    """Walk through the store."""

    repair: bool = doc(
        "Put right what needs no decision: copies, current/, what killed commands left for a day", False, typed=True
    )


@dataclass
class DoctorConfig(OpConfig):
    """Look at this machine, its tokens and the store."""

    ffmpeg: bool = doc("Also look for the programs of FFmpeg, which fvhydra itself does not need", True)
