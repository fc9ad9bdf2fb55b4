# SPDX-License-Identifier: Apache-2.0
"""The weights that metrics load, each described once: where from, which bytes, under which licence.

Revisions and hashes are those that public projects pin and verify; where none could be confirmed there is None, and the
resolved commit is recorded with the scores.
"""

from __future__ import annotations

from fvhydra.metrics.spec import Asset

ALEXNET = Asset(
    name="alexnet",
    repo="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    megabytes=233,
    licence="BSD-3-Clause",
    sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    commercial=True,
)
LPIPS_ALEX = Asset(
    name="lpips_alex",
    repo="https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/alex.pth",
    megabytes=1,
    licence="BSD-2-Clause",
    sha256="df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    commercial=True,
)
AMT_S = Asset(
    name="amt_s",
    repo="https://huggingface.co/lalala125/AMT/resolve/main/amt-s.pth",
    megabytes=12,
    licence="CC-BY-NC-4.0",
    commercial=False,
)
MUSIQ_SPAQ = Asset(
    name="musiq_spaq",
    repo="https://github.com/chaofengc/IQA-PyTorch/releases/download/v0.1-weights/musiq_spaq_ckpt-358bb6af.pth",
    megabytes=109,
    licence="not stated (code: PolyForm-Noncommercial-1.0.0)",
)
CLIP_B32 = Asset(
    name="clip_b32",
    repo="openai/clip-vit-base-patch32",
    megabytes=605,
    licence="MIT (code; not stated for the weights)",
    revision="3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268",
)
CLIP_L14 = Asset(
    name="clip_l14",
    repo="openai/clip-vit-large-patch14",
    megabytes=1711,
    licence="MIT (code; not stated for the weights)",
    revision="32bd64288804d66eefd0ccbe215aa642df71cc41",
)
AESTHETIC_HEAD = Asset(
    name="aesthetic_head",
    repo="https://raw.githubusercontent.com/LAION-AI/aesthetic-predictor/main/sa_0_4_vit_l_14_linear.pth",
    megabytes=1,
    licence="MIT",
    commercial=True,
)
DINO_B16 = Asset(
    name="dino_b16",
    repo="facebook/dino-vitb16",
    megabytes=343,
    licence="Apache-2.0",
    revision="f205d5d8e640a89a2b8ef0369670dfc37cc07fc2",
    commercial=True,
)
VIDEOMAE_BASE = Asset(
    name="videomae_base",
    repo="MCG-NJU/videomae-base",
    megabytes=377,
    licence="CC-BY-NC-4.0",
    revision="dc740ceda42fce44faed2ea03c6d447db72f6af9",
    commercial=False,
)
I3D = Asset(
    name="i3d",
    repo="flateon/FVD-I3D-torchscript",
    megabytes=51,
    licence="not stated",
    revision="1c2d61711c52571ad617a1063e6fa691b212e184",
    files=("i3d_torchscript.pt",),
    sha256="bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2",
)
CLAP = Asset(
    name="clap",
    repo="laion/clap-htsat-fused",
    megabytes=615,
    licence="Apache-2.0 (unconfirmed)",
    revision="cca9e288ab447cee67d9ada1f85ddb46500f1401",
    packages=("torch", "transformers", "soxr"),
)
PASST = Asset(
    name="passt",
    repo="https://github.com/kkoutini/PaSST/releases/download/v0.0.1-audioset/passt-s-f128-p16-s10-ap.476-swa.pt",
    megabytes=345,
    licence="Apache-2.0 (code; not stated for the weights)",
    packages=("torch", "transformers", "soxr"),
)
RAFT = Asset(
    name="raft",
    repo="sbalani/raft-things",
    megabytes=21,
    licence="BSD-3-Clause",
    files=("raft-things.pth",),
    commercial=True,
)
AUDIOBOX = Asset(
    name="audiobox",
    repo="facebook/audiobox-aesthetics",
    megabytes=378,
    licence="CC-BY-4.0",
    commercial=True,
)
IMAGEBIND = Asset(
    name="imagebind",
    repo="https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth",
    megabytes=4500,
    licence="CC-BY-NC-SA-4.0",
    commercial=False,
)
SYNCHFORMER = Asset(
    name="synchformer",
    repo="https://github.com/hkchengrex/MMAudio/releases/download/v0.1/synchformer_state_dict.pth",
    megabytes=950,
    licence="MIT",
    commercial=True,
    packages=("torch", "transformers", "soxr"),
)
VIDEOSCORE2 = Asset(
    name="videoscore2",
    repo="TIGER-Lab/VideoScore2",
    megabytes=16_600,
    licence="not confirmed",
    named_by="model_name",
)
